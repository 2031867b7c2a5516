/** Commissioning, testing and release scripts: the catalogue, read-only so far. */
import { fail } from '../../contract/errors.ts';
import { scriptTypes } from '../../contract/resources/scripts.ts';
import type { Handlers } from '../../http/handler.ts';
import type { BodyOf } from '../kinds.ts';
import { type GlobalReads } from './context.ts';

const typeNames = Object.entries(scriptTypes);

function scriptBody(script: BodyOf<'script'>, includeScript: boolean) {
  const type = typeNames.find(([, rule]) => rule.number === script.type);
  const data = includeScript ? { data: Buffer.from(script.script, 'utf8').toString('base64') } : {};
  return {
    id: script.id,
    name: script.name,
    title: script.title,
    description: script.description,
    tags: script.tags,
    type: script.type,
    type_name: type?.[1].name ?? 'Unknown',
    hardware_type: 0,
    hardware_type_name: 'Node',
    parallel: 0,
    parallel_name: 'Disabled',
    results: {},
    parameters: {},
    packages: {},
    timeout: '0:00:00',
    destructive: false,
    for_hardware: [],
    may_reboot: false,
    recommission: false,
    apply_configured_networking: false,
    default: false,
    history: [{ id: script.id, comment: null, created: '', ...data }],
    resource_uri: `/MAAS/api/2.0/scripts/${encodeURIComponent(script.name)}`,
  };
}

export function scriptReads({ reader }: GlobalReads): Handlers<'NodeScripts.read' | 'NodeScript.read'> {
  return {
    'NodeScripts.read': ({ params }) => {
      const wanted = params.filters
        ?.split(',')
        .map((word) => word.trim())
        .filter((word) => word !== '');
      const type =
        params.type === undefined
          ? undefined
          : typeNames.find(([name, rule]) => name === params.type || String(rule.number) === params.type);
      if (params.type !== undefined && !type) throw fail('bad_request', { reason: `Unknown script type: ${params.type}.` });
      return reader
        .list('script')
        .filter((script) => !type || script.type === type[1].number)
        .filter((script) => !wanted?.length || wanted.some((word) => script.name === word || script.tags.includes(word)))
        .map((script) => scriptBody(script, params.include_script ?? false));
    },
    'NodeScript.read': ({ path, params }) => {
      const script = reader.named('script', path.name);
      if (!script) throw fail('not_found', { what: 'Script' });
      return scriptBody(script, params.include_script ?? false);
    },
  };
}
