/** Deploying: pins the image on the machine's row, takes a Ready machine for the caller, and starts the operation. */
import { fail, invalid } from '../../contract/errors.ts';
import { lifecycle, stateOf } from '../../contract/lifecycle.ts';
import type { Handlers } from '../../http/handler.ts';
import { record } from '../db/event-store.ts';
import { once } from '../db/idempotency-store.ts';
import { bridgeAll, bridgeOptions, giveAddresses } from '../db/machine-network.ts';
import { startOperation } from '../db/operation-store.ts';
import type { DeployedImage } from '../db/schema.ts';
import { storageToInstall } from '../db/storage-store.ts';
import { installationOf } from '../storage/installation.ts';
import { changing, guardOf } from './act.ts';
import type { ApiContext } from './api-context.ts';
import { refuseAction } from './judge-action.ts';
import { machineBodyOf } from './machine-page.ts';

/** Base64 with or without line breaks and padding (RFC 4648 §4). @throws Failure `invalid`. */
export function userData(text: string): Buffer {
  const packed = text.replace(/\s+/g, '');
  const isWhole = packed.includes('=') ? packed.length % 4 === 0 : packed.length % 4 !== 1;
  if (!isWhole || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) throw invalid({ user_data: ['Enter base64.'] });
  return Buffer.from(packed, 'base64');
}

/** `debian/12` as osystem and series; an image of another name is custom. */
export function seriesOf(image: Pick<DeployedImage, 'name'>): { osystem: string; distro_series: string } {
  const at = image.name.indexOf('/');
  return at > 0
    ? { osystem: image.name.slice(0, at), distro_series: image.name.slice(at + 1) }
    : { osystem: 'custom', distro_series: image.name };
}

/** What would be done to a machine in MAAS: refused, since leaving it out silently would deploy something else than was asked for. */
const notDone = {
  install_kvm: 'is not part of Muster: machines are deployed, not carved up.',
  register_vmhost: 'is not part of Muster: machines are deployed, not carved up.',
  install_rackd: 'is not part of Muster: the operator of a cell gives it more processes.',
  ephemeral_deploy: 'is not built: every system is installed on a disk.',
  enable_hw_sync: 'is not built: commission the machine to look at its hardware again.',
  enable_kernel_crash_dump: 'is not built: user_data can install kdump-tools.',
  vcenter_registration: 'is not built.',
} as const;

export function deployHandlers(context: ApiContext): Handlers<'Machine.deploy'> {
  function imageFor(architecture: string, osystem: string | undefined, series: string | undefined): DeployedImage {
    const isUnsaid = series === undefined || series === '' || series === 'default';
    const name = osystem !== undefined && osystem !== '' && !isUnsaid && !series.includes('/') ? `${osystem}/${series}` : series;
    const found = isUnsaid || name === undefined ? context.images.fallback(architecture) : context.images.find(name, architecture);
    if (found) return found;
    const asked = isUnsaid ? 'The default release' : `'${(name ?? '').slice(0, 100)}'`;
    throw invalid({ distro_series: [`${asked} is not a valid distro_series: there is no such image for ${architecture}.`] });
  }

  /** What cannot be installed is refused before anything is touched. The machine's generation guards what was judged. */
  async function refuseStorage(systemId: string): Promise<void> {
    const planned = await storageToInstall(context.database.db, systemId);
    if (!planned || planned.storage.layout === null) return;
    const verdict = installationOf(planned.storage, planned.firmware);
    if ('refused' in verdict) throw fail('bad_request', { reason: verdict.refused });
  }

  return {
    'Machine.deploy': async (call) => {
      const { params, caller } = call;
      for (const [name, reason] of Object.entries(notDone))
        if (params[name as keyof typeof notDone] === true) throw fail('bad_request', { reason: `${name} ${reason}` });
      const data = params.user_data === undefined || params.user_data === '' ? null : userData(params.user_data);
      const guard = await guardOf(context, call.path.system_id);
      const refused = refuseAction(guard, 'deploy', caller);
      // A repetition finds the machine busy with what the first one started: that is for the key to judge.
      if (refused && call.request.idempotencyKey === undefined) throw refused;
      if (!refused) await refuseStorage(guard.system_id);
      const image = imageFor(guard.architecture, params.osystem, params.distro_series);
      const isTaken = guard.status === lifecycle.ready.number;
      await changing(context, guard.system_id, (tx) =>
        once(tx, call, async () => {
          if (refused) throw refused;
          context.destructive.take(1);
          const id = await startOperation(tx, {
            kind: 'deploy',
            systemId: guard.system_id,
            from: [stateOf(guard.status)],
            generation: guard.generation,
            requestedBy: caller.username,
            by: caller.username,
            parameters: {
              overwrite: params.overwrite === true,
              ...(params.hwe_kernel === undefined ? {} : { hwe_kernel: params.hwe_kernel }),
            },
            ...(call.request.idempotencyKey === undefined ? {} : { idempotencyKey: call.request.idempotencyKey }),
            set: {
              ...seriesOf(image),
              image: JSON.stringify(image),
              user_data: data,
              ephemeral: false,
              error_description: '',
              // Whoever deploys a claimed machine has confirmed it.
              confirm_by: null,
              ...(isTaken ? { owner: caller.username, allocated_at: new Date() } : {}),
              ...(params.agent_name === undefined ? {} : { agent_name: params.agent_name }),
            },
          });
          if (params.bridge_all === true) await bridgeAll(tx, guard.system_id, bridgeOptions(params));
          const [full] = await giveAddresses(tx, guard.system_id);
          if (full !== undefined) throw fail('in_use', { what: `Subnet ${full}`, by: 'no address of it is free' });
          if (isTaken)
            await record(tx, {
              kind: 'machine_allocated',
              systemId: guard.system_id,
              username: caller.username,
              description: `(${caller.username})`,
            });
          await record(tx, {
            kind: 'deployment_asked',
            systemId: guard.system_id,
            username: caller.username,
            description: `(${caller.username}) ${image.name}${params.comment === undefined ? '' : ` - ${params.comment}`}`,
            data: { operation: id, image: image.name },
          });
          context.killPoint('api_deploy:after-effect');
          return { operation: id };
        }),
      );
      context.killPoint('api_deploy:after-commit');
      return machineBodyOf(context, guard.system_id);
    },
  };
}
