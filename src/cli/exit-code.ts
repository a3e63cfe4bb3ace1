/** Exit codes of the command (CONTRACT: 0 success, 1 failure with one clear line, 2 wrong usage). */
export const EXIT = { success: 0, failure: 1, usage: 2 } as const;

/** A command that ran but did not succeed, and has already said why. */
export class CommandFailed extends Error {}

/** Wrong words on the command line that commander could not see by itself. */
export class UsageError extends Error {}
