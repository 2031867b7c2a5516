/** The hub's key: which one it is, and giving it a new one. */
import type { Handlers } from '../../http/handler.ts';
import { readRotation } from '../../global/key-rotation.ts';
import { fingerprintOf } from '../../global/signing-key.ts';
import type { HubKey } from '../hub-key.ts';

function bodyOf(key: HubKey) {
  const former = key.announcements().flatMap((line) => {
    const rotation = readRotation(line);
    return rotation ? [{ fingerprint: fingerprintOf(rotation.from), until: new Date(rotation.at * 1000).toISOString() }] : [];
  });
  return { fingerprint: fingerprintOf(key.present().text), former: former.toReversed() };
}

export function hubKeyHandlers(key: HubKey): Handlers<'HubKey.read' | 'HubKey.rotate'> {
  return {
    'HubKey.read': () => bodyOf(key),
    'HubKey.rotate': async ({ caller }) => {
      await key.rotate(caller.username);
      return bodyOf(key);
    },
  };
}
