import { readFile, stat } from 'node:fs/promises';
import { KinscanError } from '../core/errors.js';
import { IMAGE_BYTES_MAX_DEFAULT } from '../runtime/message-limits.js';

/**
 * The bytes of an image file; its size is looked at first, so that no huge file is read only to be refused.
 * @throws KinscanError IMAGE_TOO_LARGE, or INVALID_ARGUMENT where it cannot be read
 */
export async function readImageFile(file: string): Promise<Buffer> {
  try {
    const { size } = await stat(file);
    if (size > IMAGE_BYTES_MAX_DEFAULT) {
      throw new KinscanError(
        'IMAGE_TOO_LARGE',
        `the file has ${size} bytes, the limit is ${IMAGE_BYTES_MAX_DEFAULT}`,
      );
    }
    return await readFile(file);
  } catch (error) {
    if (error instanceof KinscanError) throw error;
    throw new KinscanError(
      'INVALID_ARGUMENT',
      `cannot read the file: ${(error as NodeJS.ErrnoException).code}`,
      { cause: error },
    );
  }
}
