/** Decodes nothing: dies of files that begin with 13, as a native crash of a decoder would end it, and echoes the others. */
process.on('message', (message: { request: { bytes: Uint8Array } }) => {
  const [first = 0] = message.request.bytes;
  if (first === 13) process.kill(process.pid, 'SIGSEGV');
  else process.send?.({ images: [], frameCount: first });
});
