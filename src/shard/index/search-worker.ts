import { workerPoolData } from '../../runtime/worker-pool.js';
import type { IndexTask, SearchTaskResult, SearchWorkerData, WarmUpTask } from './search-task.js';
import { NOTHING, TaskRunner } from './task-runner.js';
import { warmUpKernel } from './warm-up.js';

const data = workerPoolData() as SearchWorkerData;
const runner = new TaskRunner(data);

/** Upper bound of the wait for the other threads; passing it is harmless, a thread is then warmed up by its first query. */
const ARRIVAL_TIMEOUT_MS = 2_000;

/** The task of a search thread (Piscina calls the default export). */
export default function runIndexTask(task: IndexTask): SearchTaskResult {
  return task.kind === 'search' ? runner.run(task) : warmUp(task);
}

function warmUp(task: WarmUpTask): SearchTaskResult {
  warmUpKernel(data.kernel, data.codeBits, data.fineCodeBits);
  Atomics.add(task.arrived, 0, 1);
  Atomics.notify(task.arrived, 0);
  const deadline = performance.now() + ARRIVAL_TIMEOUT_MS;
  for (;;) {
    const arrived = Atomics.load(task.arrived, 0);
    if (arrived >= task.threads) return NOTHING;
    if (Atomics.wait(task.arrived, 0, arrived, deadline - performance.now()) === 'timed-out') return NOTHING;
  }
}
