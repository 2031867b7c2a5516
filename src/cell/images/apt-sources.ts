/** Reads the host's apt sources (sources.list(5), one-line and deb822) and picks the ones that are Debian. Parsing only. */

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Path of a keyring; absent when the host trusts its default keys. */
  readonly signedBy?: string;
}

const word = /^[\x21-\x7e]+$/;

/** Parse a file of sources; what is not a binary source, disabled or not understood is left out, never an error. */
export function parseAptSources(text: string, format: 'list' | 'sources'): AptSource[] {
  return format === 'list' ? text.split('\n').flatMap(parseLine) : text.split(/\n[ \t]*\n/).flatMap(parseStanza);
}

function parseLine(line: string): AptSource[] {
  const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
  if (!match) return [];
  const [, options = '', uri = '', suite = '', rest = ''] = match;
  const signedBy = /(?:^|\s)signed-by=(\/\S+)/i.exec(options)?.[1];
  return sources([uri], [suite], rest.split(/\s+/), signedBy);
}

function parseStanza(stanza: string): AptSource[] {
  const fields = new Map<string, string>();
  let last = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const match = /^([A-Za-z][A-Za-z-]*):(.*)$/.exec(line);
    if (match) {
      last = (match[1] ?? '').toLowerCase();
      fields.set(last, match[2] ?? '');
    } else if (/^[ \t]/.test(line) && last !== '') {
      fields.set(last, `${fields.get(last) ?? ''}\n${line}`);
    }
  }
  const words = (name: string) => (fields.get(name) ?? '').split(/\s+/).filter((each) => each !== '');
  if (!words('types').includes('deb') || /^(no|false|off|0|disable|without)$/i.test(words('enabled')[0] ?? 'yes')) return [];
  const signedBy = words('signed-by')[0];
  return sources(words('uris'), words('suites'), words('components'), signedBy?.startsWith('/') ? signedBy : undefined);
}

function sources(
  uris: readonly string[],
  suites: readonly string[],
  components: readonly string[],
  signedBy: string | undefined,
): AptSource[] {
  const named = components.filter((each) => each !== '');
  return uris.flatMap((uri) =>
    suites.flatMap((suite) =>
      word.test(uri) && word.test(suite) && named.every((each) => word.test(each))
        ? [{ uri, suite, components: named, ...(signedBy && word.test(signedBy) ? { signedBy } : {}) }]
        : [],
    ),
  );
}

/**
 * The sources that are Debian `codename` itself: its own suite, updates and security, component main. Told by the suite's exact name,
 * so that a vendor's `cloud-sdk-bookworm` or `nodistro` is none of them.
 */
export function debianSources(all: readonly AptSource[], codename: string): AptSource[] {
  const suites = new Set([codename, `${codename}-updates`, `${codename}-security`]);
  const found = all.filter((source) => suites.has(source.suite) && source.components.includes('main'));
  return found.map((source) => ({ ...source, components: ['main'] }));
}

/** sources.list(5) in the one-line format, which apt and mmdebstrap both read. */
export function renderAptSources(all: readonly AptSource[]): string {
  return all
    .map(
      ({ uri, suite, components, signedBy }) =>
        `deb ${signedBy ? `[signed-by=${signedBy}] ` : ''}${uri} ${suite} ${components.join(' ')}\n`,
    )
    .join('');
}
