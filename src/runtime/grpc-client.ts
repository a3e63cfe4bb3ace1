import {
  credentials,
  loadPackageDefinition,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type GrpcObject,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { assert, KinscanError, type ErrorCode } from '../core/errors.js';
import { fromGrpcError } from './grpc-error.js';
import { GRPC_LEAN, type ServiceName } from './grpc-server.js';
import { protoDefinition } from './proto.js';

export type { ClientDuplexStream, ClientReadableStream } from '@grpc/grpc-js';

export interface GrpcClientOptions {
  /** host:port */
  readonly address: string;
  readonly service: ServiceName;
  readonly messageBytesMax: number;
  /** What an unreachable server is called in errors. */
  readonly unavailable: ErrorCode;
  /** Whether it has a connection to itself; otherwise clients of one server in one process share theirs. @default false */
  readonly ownConnection?: boolean;
}

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface StreamOptions {
  /** @default none: the stream may last */
  readonly timeoutMs?: number;
}

/** A client of one service on one server; one connection, kept open. */
export interface GrpcClient {
  /**
   * A unary call.
   * @param rpc as in the proto, for instance `Search`
   * @throws KinscanError
   */
  call<Request, Response>(rpc: string, request: Request, options: CallOptions): Promise<Response>;
  /** A call that is answered with a stream, to be read with `for await` or cancelled; turn its errors with `streamError`. */
  serverStream<Request, Response>(
    rpc: string,
    request: Request,
    options?: StreamOptions,
  ): ClientReadableStream<Response>;
  /** A bidirectional stream; turn its errors with `streamError`. */
  duplex<Request, Response>(rpc: string, options?: StreamOptions): ClientDuplexStream<Request, Response>;
  streamError(error: Error): KinscanError;
  /** Cancels the streams that are open; lets unary calls end. */
  close(): void;
}

type UnaryMethod = (
  request: unknown,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: unknown) => void,
) => ClientUnaryCall;
type ServerStreamMethod = (request: unknown, options: { deadline?: number }) => unknown;
type DuplexMethod = (options: { deadline?: number }) => unknown;

export function openGrpcClient(options: GrpcClientOptions): GrpcClient {
  const contracts = (loadPackageDefinition(protoDefinition())['kinscan'] as GrpcObject)['v1'] as GrpcObject;
  const Constructor = contracts[options.service] as ServiceClientConstructor;
  const client: Client = new Constructor(options.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': options.messageBytesMax,
    'grpc.max_send_message_length': options.messageBytesMax,
    'grpc.keepalive_time_ms': 30_000,
    ...GRPC_LEAN,
    // a killed server is back within seconds: find it again soon
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.use_local_subchannel_pool': options.ownConnection === true ? 1 : 0,
  });
  const streams = new Set<{ cancel(): void }>();
  const methodOf = (rpc: string): unknown => {
    const method = (client as unknown as Record<string, unknown>)[rpc];
    assert(typeof method === 'function', `no rpc ${options.service}.${rpc}`);
    return method.bind(client);
  };
  return {
    call: (rpc, request, callOptions) =>
      unaryCall(methodOf(rpc) as UnaryMethod, request, callOptions, options.unavailable),
    serverStream: <Request, Response>(rpc: string, request: Request, options: StreamOptions = {}) =>
      (methodOf(rpc) as ServerStreamMethod)(request, deadlineOf(options)) as ClientReadableStream<Response>,
    duplex: <Request, Response>(rpc: string, options: StreamOptions = {}) => {
      const stream = (methodOf(rpc) as DuplexMethod)(deadlineOf(options)) as ClientDuplexStream<
        Request,
        Response
      >;
      streams.add(stream);
      stream.once('status', () => streams.delete(stream));
      return stream;
    },
    streamError: (error) => fromGrpcError(error as ServiceError, options.unavailable),
    close: () => {
      for (const stream of streams) stream.cancel();
      client.close();
    },
  };
}

function deadlineOf({ timeoutMs }: StreamOptions): { deadline?: number } {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function unaryCall<Response>(
  method: UnaryMethod,
  request: unknown,
  options: CallOptions,
  unavailable: ErrorCode,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) return reject(new KinscanError('DEADLINE_EXCEEDED', 'cancelled before the call'));
    const cancel = () => call.cancel();
    const call = method(request, { deadline: Date.now() + options.timeoutMs }, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error) reject(fromGrpcError(error, unavailable));
      else resolve(response as Response);
    });
    signal?.addEventListener('abort', cancel);
  });
}
