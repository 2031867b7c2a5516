/** Commissioning scripts under their older name. What they are and how they change is scripts.ts and script-writes.ts. */
import { fail } from '../../contract/errors.ts';
import { scriptTypes } from '../../contract/resources/scripts.ts';
import type { Handlers } from '../../http/handler.ts';
import type { Reading } from '../draft.ts';
import type { BodyOf } from '../kinds.ts';
import type { GlobalReads, WritesTo } from './context.ts';
import { allScripts, findScript } from './scripts.ts';
import { scriptWrites } from './script-writes.ts';

const isCommissioning = (script: BodyOf<'script'>): boolean => script.type === scriptTypes.commissioning.number;

/** Scripts for anything else are not there under this name. @throws Failure `not_found`. */
function find(reading: Pick<Reading, 'named'>, name: string): BodyOf<'script'> {
  const script = findScript(reading, name);
  if (!isCommissioning(script)) throw fail('not_found', { what: 'Script' });
  return script;
}

export function commissioningScriptReads({ reader }: GlobalReads): Handlers<'CommissioningScripts.read' | 'CommissioningScript.read'> {
  return {
    'CommissioningScripts.read': () =>
      allScripts(reader)
        .filter(isCommissioning)
        .map((script) => script.name)
        .toSorted(),
    'CommissioningScript.read': ({ path }) => Buffer.from(find(reader, path.name).script, 'utf8'),
  };
}

type Writes = 'CommissioningScripts.create' | 'CommissioningScript.update' | 'CommissioningScript.delete';

export function commissioningScriptWrites(to: WritesTo, { reader }: GlobalReads): Handlers<Writes> {
  const scripts = scriptWrites(to);
  return {
    'CommissioningScripts.create': async (call) => {
      const { name, content } = call.params;
      await scripts['NodeScripts.create']({
        ...call,
        route: 'NodeScripts.create',
        params: { name, script: content, type: 'commissioning' },
      });
      return {
        name,
        content: Buffer.from(content, 'utf8').toString('base64'),
        deprecated: true,
        resource_uri: `/MAAS/api/2.0/commissioning-scripts/${encodeURIComponent(name)}`,
      };
    },
    'CommissioningScript.update': async (call) => {
      find(reader, call.path.name);
      await scripts['NodeScript.update']({ ...call, route: 'NodeScript.update', params: { script: call.params.content } });
      return 'OK';
    },
    'CommissioningScript.delete': async (call) => {
      find(reader, call.path.name);
      await scripts['NodeScript.delete']({ ...call, route: 'NodeScript.delete', params: {} });
    },
  };
}
