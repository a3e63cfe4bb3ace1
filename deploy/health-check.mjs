// Exit code 0 when the role at host:port says SERVING over grpc.health.v1; for HEALTHCHECK and for probes.
import { isServing } from '../dist/src/runtime/grpc-health.js';

const address = process.argv[2];
if (address === undefined) {
  process.stderr.write('usage: node deploy/health-check.mjs HOST:PORT\n');
  process.exit(2);
}
process.exit((await isServing(address)) ? 0 : 1);
