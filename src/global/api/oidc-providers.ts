/** OpenID providers. Their discovery document is fetched before the stream is locked; the client's secret is a row that never leaves the authority. */
import { fail, invalid } from '../../contract/errors.ts';
import type { Handlers } from '../../http/handler.ts';
import { dropClientSecret, putClientSecret } from '../db/client-secret-store.ts';
import type { Draft, Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import { isSafeIssuer, openOutside, OutsideTrouble } from '../outside.ts';
import { authorityOf, commit, idOfPath, uri, type GlobalReads, type WritesTo } from './context.ts';

type Provider = BodyOf<'oidc_provider'>;

const mostProviders = 100;

function providerBody(provider: Provider) {
  return { ...provider, resource_uri: uri('oidc-providers', provider.id) };
}

function find(reading: Pick<Reading, 'get'>, id: string): Provider {
  const provider = reading.get('oidc_provider', idOfPath(id));
  if (!provider) throw fail('not_found', { what: 'OidcProvider' });
  return provider;
}

type Reads = 'OidcProviders.read' | 'OidcProviders.get_active' | 'OidcProvider.read';

export function oidcProviderReads({ reader }: GlobalReads): Handlers<Reads> {
  return {
    'OidcProviders.read': () => reader.list('oidc_provider').map(providerBody),
    'OidcProviders.get_active': () => {
      const active = reader.list('oidc_provider').find((provider) => provider.enabled);
      if (!active) throw fail('not_found', { what: 'OidcProvider' });
      return providerBody(active);
    },
    'OidcProvider.read': ({ path }) => providerBody(find(reader, path.id)),
  };
}

/** @throws Failure `invalid`, `issuer_unreachable` */
async function checkIssuer(to: WritesTo, issuer: string): Promise<void> {
  const { outside = openOutside() } = authorityOf(to);
  if (!isSafeIssuer(issuer)) throw invalid({ issuer_url: ['An issuer is reached by https.'] });
  try {
    const named = await outside.issuerAt(issuer);
    if (named !== issuer) throw new OutsideTrouble(`its discovery document names the issuer ${named.slice(0, 200)}`);
  } catch (error) {
    if (!(error instanceof OutsideTrouble)) throw error;
    throw fail('issuer_unreachable', { issuer, reason: `${error.message}.` });
  }
}

function put(draft: Draft, provider: Provider): Provider {
  const others = draft.list('oidc_provider').filter((one) => one.id !== provider.id);
  if (!provider.scopes.split(' ').includes('openid')) throw invalid({ scopes: ['openid is missing.'] });
  if (others.some((one) => one.name === provider.name))
    throw fail('wrong_state', { text: `An OIDC provider with the name ${provider.name} exists already.` });
  const active = others.find((one) => one.enabled);
  if (provider.enabled && active)
    throw fail('wrong_state', { text: `The OIDC provider ${active.name} is enabled. Only one can be at a time.` });
  if (others.length >= mostProviders) throw fail('bad_request', { reason: `There are ${mostProviders} providers, which is the limit.` });
  draft.put('oidc_provider', provider.id, provider);
  return provider;
}

export function oidcProviderWrites(
  to: WritesTo,
  { reader }: GlobalReads,
): Handlers<'OidcProviders.create' | 'OidcProvider.update' | 'OidcProvider.delete'> {
  return {
    'OidcProviders.create': async (call) => {
      const { client_secret, ...given } = call.params;
      await checkIssuer(to, given.issuer_url);
      const provider = await commit(to, call, 'config', async (draft) => {
        const made = put(draft, { ...given, id: await draft.drawId() });
        await putClientSecret(draft.db, made.id, client_secret);
        return made;
      });
      return providerBody(provider);
    },
    'OidcProvider.update': async (call) => {
      authorityOf(to);
      const { client_secret, ...given } = call.params;
      const known = find(reader, call.path.id);
      const issuer = given.issuer_url ?? known.issuer_url;
      if (issuer !== known.issuer_url || (given.enabled === true && !known.enabled)) await checkIssuer(to, issuer);
      const provider = await commit(to, call, 'config', async (draft) => {
        const made = put(draft, { ...find(draft, call.path.id), ...given });
        if (client_secret !== undefined) await putClientSecret(draft.db, made.id, client_secret);
        return made;
      });
      return providerBody(provider);
    },
    'OidcProvider.delete': (call) =>
      commit(to, call, 'config', async (draft) => {
        const provider = find(draft, call.path.id);
        if (provider.enabled) throw fail('wrong_state', { text: `The OIDC provider ${provider.name} is enabled. Disable it first.` });
        draft.retire('oidc_provider', provider.id);
        await dropClientSecret(draft.db, provider.id);
      }),
  };
}
