import { readFileSync } from 'node:fs';

/** Peak resident memory of a process in MiB (VmHWM of /proc, Linux only); NaN where it cannot be read. */
export function peakMemoryMib(pid: number): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Math.round(Number(match?.[1]) / 1024);
  } catch {
    return Number.NaN;
  }
}
