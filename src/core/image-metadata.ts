/**
 * All that kinscan keeps of an image beside its pixels: an allow-list. Whatever is not named here (patient name, patient
 * id, birth date, accession number, ...) is never read into a record, a log or an answer.
 */
export interface ImageMetadata {
  /** DICOM Modality (0008,0060), for example CT. */
  readonly modality?: string;
  /** Body Part Examined (0018,0015). */
  readonly bodyPart?: string;
  /** Image Laterality (0020,0062), else Laterality (0020,0060): R, L, U or B. */
  readonly laterality?: string;
  readonly studyInstanceUid?: string;
  readonly seriesInstanceUid?: string;
  readonly sopInstanceUid?: string;
  /** Study Date (0008,0020) as the number YYYYMMDD. */
  readonly studyDate?: number;
  /** A keyed hash that stands for the patient, in hexadecimal: tells that two images are of one patient, not of whom. */
  readonly patientHash?: string;
  /** 1-based; only in DICOM. */
  readonly frameNumber?: number;
  readonly numberOfFrames?: number;
  /** Height in pixels. */
  readonly rows?: number;
  /** Width in pixels. */
  readonly columns?: number;
  /** The client's own word for what the image shows, for example its folder's name; never read from the file. */
  readonly label?: string;
}
