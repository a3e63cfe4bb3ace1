/** The largest image file that is taken, in bytes, unless a role is configured otherwise. */
export const IMAGE_BYTES_MAX_DEFAULT = 64 * 1024 * 1024;

/** The largest gRPC message: an image of the largest size, and room for the rest of the request. */
export const MESSAGE_BYTES_MAX_DEFAULT = IMAGE_BYTES_MAX_DEFAULT + 1024 * 1024;
