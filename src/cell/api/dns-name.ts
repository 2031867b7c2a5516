/** Which name of which domain a request means: `fqdn`, or `name` and `domain`. Pure. */
import { fail, invalid } from '../../contract/errors.ts';
import type { DomainRow, Networks } from '../db/network-read.ts';
import { isOwnerName } from './dns-record.ts';
import { idOfText } from './network-view.ts';

export interface DnsNaming {
  readonly fqdn?: string | undefined;
  readonly name?: string | undefined;
  readonly domain?: string | undefined;
}

/** By its id (`id:` before it or not) or name. */
export function domainBy({ domains }: Pick<Networks, 'domains'>, text: string): DomainRow | undefined {
  const plain = text.replace(/^id:/, '');
  const name = text.replace(/^name:/, '').toLowerCase();
  return domains.get(idOfText(plain)) ?? [...domains.values()].find((one) => one.name === name);
}

/** The longest domain that the whole name ends with, and what is before it; `@` for the domain itself. */
export function splitFqdn(
  { domains }: Pick<Networks, 'domains'>,
  fqdn: string,
): { readonly domain: DomainRow; readonly name: string } | undefined {
  const whole = fqdn.toLowerCase().replace(/\.$/, '');
  const [domain] = [...domains.values()]
    .filter((one) => whole === one.name || whole.endsWith(`.${one.name}`))
    .toSorted((a, b) => b.name.length - a.name.length);
  return domain && { domain, name: whole === domain.name ? '@' : whole.slice(0, -domain.name.length - 1) };
}

export function fqdnOf(name: string, domain: string): string {
  return name === '@' ? domain : `${name}.${domain}`;
}

/** What a creation or change names; parts that it does not name are undefined. @throws Failure `invalid`, `not_found`. */
export function namedBy(networks: Pick<Networks, 'domains'>, given: DnsNaming): { readonly domain?: DomainRow; readonly name?: string } {
  if (given.name === undefined && given.domain === undefined && given.fqdn !== undefined) {
    const split = splitFqdn(networks, given.fqdn);
    if (!split) throw fail('not_found', { what: 'Domain' });
    return { domain: split.domain, name: checked(split.name, 'fqdn') };
  }
  const domain = given.domain === undefined ? undefined : domainBy(networks, given.domain);
  if (given.domain !== undefined && !domain) throw fail('not_found', { what: 'Domain' });
  return { ...(domain ? { domain } : {}), ...(given.name === undefined ? {} : { name: checked(given.name.toLowerCase(), 'name') }) };
}

/** The same where both parts are needed. @throws Failure `invalid`, `not_found`. */
export function fullyNamedBy(networks: Pick<Networks, 'domains'>, given: DnsNaming): { readonly domain: DomainRow; readonly name: string } {
  const { domain, name } = namedBy(networks, given);
  if (domain && name !== undefined) return { domain, name };
  const needed = ['This field is required.'];
  throw invalid({ ...(name === undefined ? { name: needed } : {}), ...(domain ? {} : { domain: needed }) });
}

function checked(name: string, field: string): string {
  if (!isOwnerName(name)) throw invalid({ [field]: ['Invalid dnsresource name: labels of letters, digits, hyphens and underscores.'] });
  return name;
}
