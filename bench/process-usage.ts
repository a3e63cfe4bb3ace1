import { readFileSync } from 'node:fs';

/** What a process has used since it began, as Linux counts it in /proc. */
export interface ProcessUsage {
  /** Peak resident memory (VmHWM). */
  readonly peakMemoryMib: number;
  /** User and system time. */
  readonly cpuSeconds: number;
}

/** Clock ticks a second in /proc/<pid>/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** NaN in each field that cannot be read. */
export function processUsage(pid: number): ProcessUsage {
  const status = read(pid, 'status');
  // the command's name, in brackets, may hold blanks: count the fields from behind it (proc(5): utime is 14, stime 15)
  const fields = read(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
  return {
    peakMemoryMib: Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
