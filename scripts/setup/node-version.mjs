// The Node.js versions kinscan runs on: those where node --test, `module: node20` and the native packages
// have been tried.
import { SetupError } from './progress.mjs';

export function nodeVersionFault(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major === 20 ? minor >= 19 : major > 20 && major < 23) return undefined;
  return `kinscan needs Node.js 20.19 or newer, below 23; this is ${version}`;
}

export function checkNodeVersion(version = process.versions.node) {
  const fault = nodeVersionFault(version);
  if (fault !== undefined) throw new SetupError(fault);
}
