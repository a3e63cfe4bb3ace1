import { workerPoolData } from '../../src/runtime/worker-pool.js';

/** What worker-pool.test.ts asks its worker to do. */
export type PoolTestTask =
  | { readonly kind: 'echo'; readonly value: number }
  | { readonly kind: 'data' }
  | { readonly kind: 'fail'; readonly message: string }
  | { readonly kind: 'die' }
  | { readonly kind: 'waitFor'; readonly gate: Int32Array }
  | { readonly kind: 'record'; readonly log: Int32Array; readonly value: number }
  | { readonly kind: 'byteLength'; readonly buffer: ArrayBuffer };

export default function runPoolTestTask(task: PoolTestTask): unknown {
  switch (task.kind) {
    case 'echo':
      return task.value;
    case 'data':
      return workerPoolData();
    case 'fail':
      throw new Error(task.message);
    case 'die':
      return process.exit(3);
    case 'waitFor':
      while (Atomics.load(task.gate, 0) === 0) Atomics.wait(task.gate, 0, 0, 5_000);
      return 'opened';
    case 'record':
      task.log[Atomics.add(task.log, 0, 1) + 1] = task.value;
      return undefined;
    case 'byteLength':
      return task.buffer.byteLength;
  }
}
