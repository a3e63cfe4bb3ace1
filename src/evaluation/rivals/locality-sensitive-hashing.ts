import { Random } from '../../core/random.js';
import { descriptorMeans, linearEncoder } from './linear-code.js';
import type { Rival } from './rival.js';

/**
 * LSH by random hyperplanes: each bit is the sign of the centred descriptor's projection on a random Gaussian
 * direction, so that two descriptors at angle t differ in a bit with probability t / pi. Learns nothing but the mean.
 */
export const localitySensitiveHashing: Rival = {
  name: 'lsh',
  title: 'LSH',
  citation:
    'A. Gionis, P. Indyk, R. Motwani, Similarity Search in High Dimensions via Hashing, VLDB 1999; random hyperplanes: M. S. Charikar, Similarity Estimation Techniques from Rounding Algorithms, STOC 2002',
  input: 'descriptors',
  supervised: false,
  hyperParameters: { directions: 'standard normal', centring: 'training mean' },
  fit: (training, { codeBits, seed }) => {
    const random = new Random(seed);
    const directions = Array.from({ length: codeBits }, () =>
      Float64Array.from({ length: training.descriptorDimensions }, () => random.normal()),
    );
    return Promise.resolve(linearEncoder(directions, descriptorMeans(training)));
  },
};
