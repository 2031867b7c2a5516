// What the handlers of a hub need besides its authority, for tests that have no running hub: one key for good, and nobody to wait for.
import type { Authority } from '../src/global/authority.ts';
import type { SigningKey } from '../src/global/signing-key.ts';
import { asHub } from '../src/hub/db/join-token-store.ts';
import { createEmission } from '../src/hub/emission.ts';
import type { HubParts } from '../src/hub/hub.ts';

/** For `hubHandlers`. */
export function hubParts(authority: Authority, key: SigningKey, version: string): HubParts {
  const never = new AbortController().signal;
  return {
    authority,
    key: {
      present: () => key,
      announcements: () => [],
      sessionKeys: () => [{ key: key.publicKey }],
      rotate: () => Promise.reject(new Error('this hub keeps its key')),
      refresh: async () => undefined,
      forget: async () => undefined,
      changed: () => never,
      onChange: () => undefined,
    },
    settled: async () => [],
    emission: createEmission(authority, asHub(authority.db)),
    version,
  };
}
