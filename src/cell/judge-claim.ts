/** Joins the pure halves of a claim: who may write (`claim.ts`), what is written (`disk-plan.ts`), and how the agent reads it (`plan-script.ts`). */
import type { ClaimCase, ClaimVerdict } from './metadata/claim-judge.ts';
import { planDeployment, planErase } from './lifecycle/disk-plan.ts';
import { judgeClaim, type ModelDisk } from './lifecycle/claim.ts';
import { renderPlan } from './lifecycle/plan-script.ts';
import { networkConfig, networkConfigFile, networkConfigPath } from './network/network-config.ts';
import { cellHostName } from './service-addresses.ts';
import { chooseTarget, flatInstallation, identityOf, installationOf, specialMounts, type Installable } from './storage/installation.ts';

/**
 * Judge a claim and render its plan. Pure: the same case gives the same script, so a lost reply can be given again.
 * `kernelOptions`: what operators add to the installed system's kernel command line.
 */
export function judge(given: ClaimCase, kernelOptions = ''): ClaimVerdict {
  const { ticket, machine, disks } = given;
  const model = disks.map((disk): ModelDisk => ({ ...disk, signatures: disk.account_signatures, marker: disk.account_marker }));
  const erasing = ticket.purpose === 'erase';
  const plan = erasing ? undefined : installable(given);
  if (plan && 'refused' in plan) return { granted: false, reason: 'storage', text: plan.refused, disk: '' };
  const written = new Set(plan?.installation.disks.map((one) => one.disk.id));
  const targets = erasing ? model.filter((disk) => identityOf(disk) !== undefined) : model.filter((disk) => written.has(disk.id));
  const verdict = judgeClaim({
    systemId: machine.system_id,
    operationId: ticket.operation_id,
    ticket: { bootId: ticket.boot_id, live: ticket.live },
    bootId: given.bootId,
    // Whoever releases with erasing has said that everything on the disks goes.
    overwrite: erasing || machine.parameters?.['overwrite'] === true,
    resumes: machine.resumes,
    targets,
    seen: given.seen,
  });
  if (!verdict.granted) return { ...verdict, disk: targets[0] ? (identityOf(targets[0]) ?? '') : '' };
  if (erasing) return { granted: true, script: renderPlan(planErase(targets)) };
  if (!plan || !machine.image)
    return { granted: false, reason: 'missing_disk', text: 'The machine has no image or no disk to deploy to.', disk: '' };
  return { granted: true, script: renderPlan(planDeployment(modelOf(given, machine.image, kernelOptions), plan.installation)) };
}

/** What is to be made of its disks: what was planned, or the flat layout where nobody has said anything. */
function installable({ storage, firmware, disks, machine, ticket }: ClaimCase): Installable {
  if (storage.layout !== null) return installationOf(storage, firmware);
  const target = chooseTarget(disks, machine.boot_disk_id);
  if (!target) return { refused: 'The machine has no disk that can be told apart by serial or WWN and is large enough.' };
  return { installation: { ...flatInstallation(target, ticket.operation_id), specials: specialMounts(storage) } };
}

function modelOf(given: ClaimCase, image: NonNullable<ClaimCase['machine']['image']>, kernelOptions: string) {
  const { machine, ticket, serviceUrls, systemCredential } = given;
  const seedUrl = seedUrlOf(serviceUrls);
  const network = networkConfig(given.network);
  return {
    systemId: machine.system_id,
    hostname: machine.hostname,
    fqdn: machine.fqdn,
    operationId: ticket.operation_id,
    image: {
      sha256: image.sha256,
      // The cell's own: the agent asks each of its addresses.
      url: `/boot/file/${image.sha256}/root.tar.zst`,
      kernel: '/boot/vmlinuz',
      initrd: '/boot/initrd.img',
      reports: image.cloud_init,
    },
    ...(network === undefined ? {} : { network: { path: networkConfigPath, content: networkConfigFile(network) } }),
    kernelParameters: `console=tty0 console=ttyS0,115200 net.ifnames=0 ${kernelOptions}`.trimEnd(),
    seed: {
      metadataUrl: `${seedUrl}/MAAS/metadata/`,
      statusUrl: `${seedUrl}/MAAS/metadata/status/${machine.system_id}`,
      hosts: serviceUrls.length > 1 ? serviceUrls.map((url) => ({ address: new URL(url).hostname, name: cellHostName })) : [],
      ...systemCredential,
    },
  };
}

/** Where a deployed system finds the cell: at its one address, or at a name that its hosts file has all addresses of. */
function seedUrlOf(serviceUrls: readonly string[]): string {
  const [first = ''] = serviceUrls;
  if (serviceUrls.length < 2) return first;
  const { port } = new URL(first);
  return `http://${cellHostName}${port === '' ? '' : `:${port}`}`;
}
