/** The replica feed over HTTP. Nothing here takes state from a cell: a caller only says how far it is. */
import { invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Authority } from '../../global/authority.ts';
import { callerHeader } from '../../global/caller-seal.ts';
import { parseRevision, type Revision } from '../../global/revision.ts';
import { peekSeal } from '../../global/seal.ts';
import { asHub } from '../db/join-token-store.ts';
import { noteGone, noteProgress, type Poller } from '../db/progress-store.ts';
import { QuietPollers } from '../quiet-pollers.ts';
import type { Emission } from '../emission.ts';
import type { Feed } from '../feed.ts';
import type { HubKey } from '../hub-key.ts';

export interface ReplicaApi {
  readonly authority: Authority;
  readonly feed: Feed;
  readonly key: HubKey;
  readonly emission: Emission;
}

type ReplicaRoutes = 'ReplicaChanges.read' | 'ReplicaSnapshot.read' | 'ReplicaKeys.read';

function revisionOf(text: string): Revision {
  const revision = parseRevision(text);
  if (!revision) throw invalid({ after: ['Not a revision: epoch.n is meant.'] });
  return revision;
}

export function replicaHandlers({ authority, feed, key, emission }: ReplicaApi): Handlers<ReplicaRoutes> {
  const db = asHub(authority.db);
  const quiet = new QuietPollers((poller, seen) => noteGone(db, poller, seen));
  return {
    'ReplicaChanges.read': async ({ params, caller, request }) => {
      const { stream, mark, wait = 0, version = '' } = params;
      const after = revisionOf(params.after);
      await feed.check(stream, after, mark);
      // The header's signature was checked when the caller was authenticated.
      const claims = peekSeal(String(request.headers[callerHeader])) as { readonly process?: unknown };
      const poller: Poller = { role: caller.role, name: caller.name, process: String(claims.process) };
      const seen = await noteProgress(db, poller, stream, after, version);
      await emission.heard(poller, version);
      await feed.waitFor(stream, after, wait * 1000, request.signal, request.draining, key.changed());
      if (request.signal.aborted) await noteGone(db, poller, seen);
      else quiet.expect(poller, seen);
      return feed.changes(stream, after);
    },
    'ReplicaSnapshot.read': ({ params }) => feed.snapshot(params.stream),
    'ReplicaKeys.read': () =>
      key
        .announcements()
        .map((line) => `${line}\n`)
        .join(''),
  };
}
