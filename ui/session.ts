/** Who is signed in. The session itself is a cookie that scripts cannot read; it lasts 15 minutes and is renewed while the page is open. */
import { queryOptions, useQuery, type QueryClient } from '@tanstack/react-query';
import { ApiError } from '../src/http/client.ts';
import { client } from './api.ts';

export interface Person {
  readonly username: string;
  readonly admin: boolean;
}

/** A third of what a session lasts, so that two renewals may fail. */
const renewEvery = 5 * 60_000;

/** Nobody or nobody any more: what the API answers to a session that has ended. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** The person who is signed in, null for nobody. */
export const personQuery = queryOptions({
  queryKey: ['person'],
  queryFn: async ({ signal }): Promise<Person | null> => {
    try {
      const user = await client.call('Users.whoami', {}, {}, { signal });
      return { username: user.username, admin: user.is_superuser };
    } catch (error) {
      if (isSignedOut(error)) return null;
      throw error;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
  gcTime: Number.POSITIVE_INFINITY,
});

/** The person of the page; inside the frame there always is one. */
export function usePerson(): Person {
  return useQuery(personQuery).data ?? { username: '', admin: false };
}

/** What answers here: its kind, name and version. */
export const programQuery = queryOptions({
  queryKey: ['program'],
  queryFn: async ({ signal }) => {
    const { muster } = await client.call('Version.read', {}, {}, { signal });
    return muster ?? { version: '', program: 'cell', name: '', revision: '' };
  },
  staleTime: 60_000,
});

/** `front f1`; the hub is only called hub. */
export function programName({ program, name }: { readonly program: string; readonly name: string }): string {
  return name === '' || name === program ? program : `${program} ${name}`;
}

/** @throws ApiError `bad_login`, `too_many`, `hub_absent`. */
export async function signIn(queries: QueryClient, username: string, password: string): Promise<void> {
  const session = await client.call('Session.create', {}, { username, password });
  queries.setQueryData(personQuery.queryKey, () => ({ username: session.username, admin: session.is_superuser }));
}

/** Forgets everything that was read, whether or not the other side still answers. */
export async function signOut(queries: QueryClient): Promise<void> {
  await client.call('Session.delete', {}, {}).catch(() => undefined);
  forget(queries);
}

/** Nobody is signed in, and nothing that somebody has read stays. */
export function forget(queries: QueryClient): void {
  queries.setQueryData(personQuery.queryKey, null);
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'person' && queryKey[0] !== 'program' });
}

/** Keep the session fresh: now and then, and when the page comes back into sight. Ends with the returned function. */
export function keepSession(queries: QueryClient): () => void {
  let renewed = Date.now();
  const renew = async (): Promise<void> => {
    if (document.visibilityState !== 'visible' || Date.now() - renewed < renewEvery / 2) return;
    try {
      await client.call('Session.renew', {}, {});
      renewed = Date.now();
    } catch (error) {
      // Everything else passes (the hub is away): the session still lasts, and the next turn tries again.
      if (isSignedOut(error)) forget(queries);
    }
  };
  const timer = setInterval(() => void renew(), renewEvery / 5);
  const seen = () => void renew();
  document.addEventListener('visibilitychange', seen);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}
