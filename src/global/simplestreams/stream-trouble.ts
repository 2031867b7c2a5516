/** Why nothing can be had of a boot source, in words for its administrator: the one error that reading a stream throws. */
export class StreamTrouble extends Error {
  override readonly name = 'StreamTrouble';
}
