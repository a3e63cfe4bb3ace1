import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * JSON lines on standard error with fixed fields: level, time (ISO 8601), role, member, msg. Nothing at info or above may
 * hold patient data: no image ids, DICOM UIDs, names or pixels.
 * @param member the process's id in the cluster
 */
export function createLog(role: string, member: string, level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { role, member },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
