/** The replica feed over HTTP, and joining. Nothing here takes state from a cell: a caller only says how far it is. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { hashSecret } from '../../global/api-key.ts';
import type { Authority } from '../../global/authority.ts';
import { callerHeader } from '../../global/caller-seal.ts';
import { joinProof } from '../../global/join.ts';
import { parseRevision, type Revision } from '../../global/revision.ts';
import { peekSeal } from '../../global/seal.ts';
import { keyTextFromSpki, spkiOf, type SigningKey } from '../../global/signing-key.ts';
import { asHub, lockInvitation, spendInvitation } from '../db/join-token-store.ts';
import { noteGone, noteProgress, type Poller } from '../db/progress-store.ts';
import { QuietPollers } from '../quiet-pollers.ts';
import type { Feed } from '../feed.ts';

export interface ReplicaApi {
  readonly authority: Authority;
  readonly feed: Feed;
  readonly key: SigningKey;
}

type ReplicaRoutes = 'ReplicaChanges.read' | 'ReplicaSnapshot.read' | 'ReplicaJoin.join';

function revisionOf(text: string): Revision {
  const revision = parseRevision(text);
  if (!revision) throw invalid({ after: ['Not a revision: epoch.n is meant.'] });
  return revision;
}

export function replicaHandlers({ authority, feed, key }: ReplicaApi): Handlers<ReplicaRoutes> {
  const db = asHub(authority.db);
  const quiet = new QuietPollers((poller, seen) => noteGone(db, poller, seen));
  return {
    'ReplicaChanges.read': async ({ params, caller, request }) => {
      const { stream, wait = 0, version = '' } = params;
      const after = revisionOf(params.after);
      // The header's signature was checked when the caller was authenticated.
      const claims = peekSeal(String(request.headers[callerHeader])) as { readonly process?: unknown };
      const poller: Poller = { role: caller.role, name: caller.name, process: String(claims.process) };
      const seen = await noteProgress(db, poller, stream, after, version);
      await feed.waitFor(stream, after, wait * 1000, request.signal, request.draining);
      if (request.signal.aborted) await noteGone(db, poller, seen);
      else quiet.expect(poller, seen);
      return feed.changes(stream, after);
    },
    'ReplicaSnapshot.read': ({ params }) => feed.snapshot(params.stream),
    'ReplicaJoin.join': async ({ params }) => {
      const joiner = keyTextFromSpki(params.key);
      if (joiner === undefined) throw invalid({ key: ['Not an Ed25519 public key (SPKI in base64).'] });
      const hash = hashSecret(params.token);
      const { value } = await authority.write('config', 'join', async (draft) => {
        const invitation = await lockInvitation(asHub(draft.db), hash);
        if (!invitation || (invitation.usedByKey ?? joiner) !== joiner || invitation.expired) throw fail('unauthorized');
        const { role, name } = invitation;
        if (invitation.usedByKey === joiner) return invitation;
        const number = role === 'cell' ? (params.number ?? invitation.number) : invitation.number;
        const taken = draft.get(role, number) ?? (draft.isRetired(role, number) ? { name: 'one that is gone' } : undefined);
        if (taken) throw fail('in_use', { what: `Number ${number}`, by: `${role} ${taken.name}` });
        if (draft.named(role, name)) throw fail('in_use', { what: `The name ${name}`, by: `another ${role}` });
        const row = { number, name, key: joiner, url: params.url ?? '' };
        if (role === 'cell') draft.put('cell', number, { ...row, out: false });
        else draft.put('front', number, row);
        await spendInvitation(asHub(draft.db), hash, joiner, number);
        return { role, name, number };
      });
      return {
        kind: value.role,
        number: value.number,
        name: value.name,
        hub_key: spkiOf(key.text),
        signature: joinProof(key.privateKey, params.nonce, params.key),
      };
    },
  };
}
