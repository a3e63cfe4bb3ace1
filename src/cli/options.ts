import { InvalidArgumentError, Option } from 'commander';
import { MESSAGE_BYTES_MAX_DEFAULT } from '../runtime/message-limits.js';
import { openGrpcClient, type GrpcClient } from '../runtime/grpc-client.js';
import type { ServiceName } from '../runtime/grpc-server.js';

export const ADDRESS_DEFAULT = '127.0.0.1:7700';

/** `--address host:port` of a coordinator. */
export function addressOption(): Option {
  return new Option('--address <host:port>', 'a coordinator').env('KINSCAN_ADDRESS').default(ADDRESS_DEFAULT);
}

export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document on standard output and nothing else there');
}

/** A parser for whole numbers in a range, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function openCoordinatorClient(address: string, service: ServiceName = 'Retrieval'): GrpcClient {
  return openGrpcClient({
    address,
    service,
    messageBytesMax: MESSAGE_BYTES_MAX_DEFAULT,
    unavailable: 'NOT_READY',
  });
}
