/** A DICOM UID: at most 64 digits and dots (PS3.5 section 9.1). */
export function isUid(text: string): boolean {
  return /^[0-9.]{1,64}$/.test(text);
}

/** A patient hash: 64 lower-case hexadecimal digits. */
export function isPatientHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Whether a number YYYYMMDD is a day of the Gregorian calendar, of the years 1000 to 9999. */
export function isCalendarDate(date: number): boolean {
  if (!Number.isInteger(date) || date < 1000_01_01 || date > 9999_12_31) return false;
  const [year, month, day] = [Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100];
  const utc = new Date(Date.UTC(year, month - 1, day));
  return utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day;
}
