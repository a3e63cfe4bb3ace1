import { cnnHashing } from './cnn-hashing.js';
import { deepHashing } from './deep-hashing.js';
import { deepNeuralNetworkHashing } from './deep-neural-network-hashing.js';
import { kernelSupervisedHashing } from './kernel-supervised-hashing.js';
import { localitySensitiveHashing } from './locality-sensitive-hashing.js';
import { minimalLossHashing } from './minimal-loss-hashing.js';
import type { Rival } from './rival.js';
import { siameseNetwork, siameseNetworkPlainLoss } from './siamese-network.js';
import { spectralHashing } from './spectral-hashing.js';

/** Every method that can be compared, the paper's own first. */
export const RIVALS: readonly Rival[] = [
  siameseNetwork,
  siameseNetworkPlainLoss,
  deepNeuralNetworkHashing,
  cnnHashing,
  deepHashing,
  kernelSupervisedHashing,
  minimalLossHashing,
  spectralHashing,
  localitySensitiveHashing,
];
