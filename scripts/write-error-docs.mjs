#!/usr/bin/env node
// Writes docs/errors.md from the table in src/core/errors.ts: npm run docs:errors (after npm run build).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './setup/files.mjs';

const { ERROR_TABLE, GRPC_STATUS } = await import(join(REPOSITORY, 'dist/src/core/errors.js'));

const HEAD = `# Errors

Every failure carries one of these codes. They are stable: branch on the code, never on the text. Over gRPC a failure is a status with the number below and the code in the metadata \`kinscan-error-code\`; where a retry makes sense, \`retry-after-ms\` says when. Dead letters carry the same codes.

Written by \`npm run docs:errors\` from \`src/core/errors.ts\`; a test keeps the two together.

| code | gRPC status | meaning |
|---|---|---|
`;

const rows = Object.entries(ERROR_TABLE).map(
  ([code, { grpcStatus, meaning }]) =>
    `| \`${code}\` | ${GRPC_STATUS[grpcStatus]} ${grpcStatus} | ${meaning} |`,
);
writeFileSync(join(REPOSITORY, 'docs/errors.md'), `${HEAD}${rows.join('\n')}\n`);
