/** What the paper reports, by our names of methods (PAPER.md, "Experiments and their figures"). */

/** Table 1: mAP over the top 100 at 16, 32, 48 and 64 bits, VIA/I-ELCAP. */
export const PAPER_TABLE_1: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  kinscan: { '16': 0.7932, '32': 0.8057, '48': 0.8163, '64': 0.8092 },
  dh: { '16': 0.7086, '32': 0.7235, '48': 0.7396, '64': 0.7281 },
  ksh: { '16': 0.5914, '32': 0.6053, '48': 0.6198, '64': 0.6085 },
  mlh: { '16': 0.5039, '32': 0.5228, '48': 0.5534, '64': 0.5261 },
  sh: { '16': 0.4531, '32': 0.4958, '48': 0.4871, '64': 0.4798 },
  lsh: { '16': 0.3271, '32': 0.3447, '48': 0.3653, '64': 0.3579 },
};

/** Table 2: accuracy in percent and milliseconds to retrieve one image, TCIA, 48 bits, 50,000 iterations. */
export const PAPER_TABLE_2: Readonly<Record<string, { readonly accuracy: number; readonly millis: number }>> =
  {
    dh: { accuracy: 80.23, millis: 987.724 },
    cnnh: { accuracy: 81.53, millis: 683.766 },
    plain: { accuracy: 82.15, millis: 605.479 },
    dnnh: { accuracy: 83.02, millis: 513.455 },
    kinscan: { accuracy: 86.97, millis: 382.952 },
  };
