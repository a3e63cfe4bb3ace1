import {
  loadPackageDefinition,
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  type GrpcObject,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { KinscanError, toKinscanError } from '../core/errors.js';
import { toGrpcStatus } from './grpc-error.js';
import type { Logger } from './log.js';
import { protoDefinition } from './proto.js';

export type ServiceName = 'Retrieval' | 'DeadLetters' | 'Encoder' | 'Shard';

/** What a handler knows of its call. */
export interface CallContext {
  /** Aborts when the client cancels, its connection breaks or the deadline passes. */
  readonly signal: AbortSignal;
  /** Milliseconds left for the answer; never more than the server's own limit. */
  readonly timeoutMs: number;
}

export type UnaryHandler<Request, Response> = (request: Request, context: CallContext) => Promise<Response>;
export type DuplexHandler<Request, Response> = (
  call: ServerDuplexStream<Request, Response>,
  signal: AbortSignal,
) => Promise<void>;

/**
 * Answers one request with many messages.
 * @param send resolves once the message is on its way and the client is ready for more; rejects where the call has ended
 */
export type StreamHandler<Request, Response> = (
  request: Request,
  send: (message: Response) => Promise<void>,
  context: CallContext,
) => Promise<void>;

/** Handlers of one service by rpc name, made with `unary`, `serverStream` and `duplex`. */
export type ServiceHandlers = UntypedServiceImplementation;

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly messageBytesMax: number;
  readonly services: Partial<Record<ServiceName, ServiceHandlers>>;
  readonly log: Logger;
}

export interface GrpcServer {
  readonly port: number;
  /** What grpc.health.v1 answers for the whole server. */
  setServing(serving: boolean): void;
  /** Takes no new calls, lets running ones end, and cuts those that are left after the limit. */
  drain(timeoutMs: number): Promise<void>;
}

// every fault of grpc-js reaches a caller as a typed error; its own lines on standard error would only repeat them
setLogVerbosity(logVerbosity.NONE);

/** What grpc-js need not do for each call: keep books for a debugging service that nobody serves, buffer for its own retries. */
export const GRPC_LEAN = { 'grpc.enable_channelz': 0, 'grpc.enable_retries': 0 } as const;

/** Deadline for calls whose client named none. */
export const CALL_TIMEOUT_MAX_MS = 60_000;
/** The same for calls that answer with a stream. */
export const STREAM_TIMEOUT_MAX_MS = 3_600_000;

/** A gRPC server with the named services, grpc.health.v1 and server reflection. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.messageBytesMax,
    'grpc.max_send_message_length': options.messageBytesMax,
    'grpc.keepalive_time_ms': 30_000,
    ...GRPC_LEAN,
  });
  const contracts = (loadPackageDefinition(protoDefinition())['kinscan'] as GrpcObject)['v1'] as GrpcObject;
  for (const [name, handlers] of Object.entries(options.services)) {
    server.addService((contracts[name] as ServiceClientConstructor).service, handlers);
  }
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  health.addToServer(server);
  new ReflectionService(protoDefinition(), {
    services: Object.keys(options.services).map((name) => `kinscan.v1.${name}`),
  }).addToServer(server);
  const port = await bind(server, options.host, options.port);
  return {
    port,
    setServing: (serving) => health.setStatus('', serving ? 'SERVING' : 'NOT_SERVING'),
    drain: (timeoutMs) => drain(server, timeoutMs),
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error)
        reject(
          new KinscanError('INVALID_ARGUMENT', `cannot listen on ${host}:${port}: ${error.message}`, {
            cause: error,
          }),
        );
      else resolve(bound);
    });
  });
}

function drain(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, timeoutMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A unary rpc: what it throws becomes a gRPC status with a stable code. */
export function unary<Request, Response>(log: Logger, handler: UnaryHandler<Request, Response>) {
  return (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
    const { signal, timeoutMs, end } = contextOf(call, CALL_TIMEOUT_MAX_MS);
    handler(call.request, { signal, timeoutMs })
      .then(
        (response) => reply(null, response),
        (thrown: unknown) => {
          logFailure(log, thrown);
          reply(toGrpcStatus(thrown));
        },
      )
      .finally(end);
  };
}

/** A rpc that answers with a stream; the stream ends when the handler resolves, or with a status where it throws. */
export function serverStream<Request, Response>(
  log: Logger,
  handler: StreamHandler<Request, Response>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const { signal, timeoutMs, end } = contextOf(call, STREAM_TIMEOUT_MAX_MS);
    // the callback comes when HTTP/2's flow control has let the message go: that is the back-pressure
    const send = (message: Response) =>
      new Promise<void>((resolve, reject) => {
        const abort = () => reject(signal.reason as Error);
        if (signal.aborted) return abort();
        signal.addEventListener('abort', abort, { once: true });
        call.write(message, () => {
          signal.removeEventListener('abort', abort);
          resolve();
        });
      });
    handler(call.request, send, { signal, timeoutMs })
      .then(
        () => void call.end(),
        (thrown: unknown) => {
          logFailure(log, thrown);
          call.emit('error', toGrpcStatus(thrown));
        },
      )
      .finally(end);
  };
}

/** A bidirectional rpc: the handler reads and writes the call and resolves when both are done. */
export function duplex<Request, Response>(
  log: Logger,
  handler: DuplexHandler<Request, Response>,
): handleBidiStreamingCall<Request, Response> {
  return (call) => {
    const abort = new AbortController();
    call.on('cancelled', () => abort.abort());
    handler(call, abort.signal).then(
      () => call.end(),
      (thrown: unknown) => {
        logFailure(log, thrown);
        call.emit('error', toGrpcStatus(thrown));
      },
    );
  };
}

function contextOf(
  call: Pick<ServerUnaryCall<unknown, unknown>, 'getDeadline' | 'on'>,
  timeoutMaxMs: number,
) {
  const deadline = call.getDeadline();
  const untilDeadline = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
  const timeoutMs = Math.max(0, Math.min(untilDeadline, timeoutMaxMs));
  const abort = new AbortController();
  const timer = setTimeout(
    () => abort.abort(new KinscanError('DEADLINE_EXCEEDED', 'the deadline passed')),
    timeoutMs,
  );
  // grpc-js says so after every call, also where it was answered
  let hasEnded = false;
  call.on('cancelled', () => {
    if (!hasEnded) abort.abort(new KinscanError('DEADLINE_EXCEEDED', 'the client cancelled'));
  });
  const end = () => {
    hasEnded = true;
    clearTimeout(timer);
  };
  return { signal: abort.signal, timeoutMs, end };
}

/** The client's faults are its own business (debug); ours are errors. */
function logFailure(log: Logger, thrown: unknown): void {
  const error = toKinscanError(thrown);
  if (error.code === 'INTERNAL') log.error({ err: error.cause ?? error }, 'call failed: internal error');
  else log.debug({ code: error.code }, 'call refused');
}
