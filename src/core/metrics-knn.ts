/**
 * The class that the k nearest results vote for. Of classes with equally many votes, the one whose first vote stands
 * at the better rank wins, so the answer does not depend on how classes are numbered.
 * @param labels class numbers by rank
 * @returns -1 for an empty list
 */
export function nearestNeighbourClass(labels: ArrayLike<number>, k: number): number {
  const votes = new Map<number, number>();
  const end = Math.min(k, labels.length);
  for (let i = 0; i < end; i++) {
    const label = labels[i] as number;
    votes.set(label, (votes.get(label) ?? 0) + 1);
  }
  let winner = -1;
  let most = 0;
  // A Map keeps the order of first insertion: a later class needs strictly more votes.
  for (const [label, count] of votes) {
    if (count > most) {
      winner = label;
      most = count;
    }
  }
  return winner;
}
