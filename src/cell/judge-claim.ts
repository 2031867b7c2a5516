/** Joins the pure halves of a claim: who may write (`claim.ts`), what is written (`disk-plan.ts`), and how the agent reads it (`plan-script.ts`). */
import type { ClaimCase, ClaimVerdict } from './metadata/claim-judge.ts';
import { identityOf, chooseTarget, planDeployment, planErase, type TargetDisk } from './lifecycle/disk-plan.ts';
import { judgeClaim, type ModelDisk } from './lifecycle/claim.ts';
import { renderPlan } from './lifecycle/plan-script.ts';

/** Judge a claim and render its plan. Pure: the same case gives the same script, so a lost reply can be given again. */
export function judge(given: ClaimCase): ClaimVerdict {
  const { ticket, machine, disks } = given;
  const model = disks.map((disk): ModelDisk => ({ ...disk, signatures: disk.account_signatures, marker: disk.account_marker }));
  const erasing = ticket.purpose === 'erase';
  const target = erasing ? undefined : chooseTarget(model, machine.boot_disk_id);
  const targets = erasing ? model.filter((disk) => identityOf(disk) !== undefined) : model.filter((disk) => disk.id === target?.id);
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
  if (!target || !machine.image)
    return { granted: false, reason: 'missing_disk', text: 'The machine has no image or no disk to deploy to.', disk: '' };
  return { granted: true, script: renderPlan(planDeployment(modelOf(given, machine.image, targets), target)) };
}

function modelOf(given: ClaimCase, image: NonNullable<ClaimCase['machine']['image']>, disks: readonly TargetDisk[]) {
  const { machine, ticket, serviceUrl, systemCredential } = given;
  return {
    systemId: machine.system_id,
    hostname: machine.hostname,
    fqdn: machine.fqdn,
    operationId: ticket.operation_id,
    image: {
      sha256: image.sha256,
      url: `${serviceUrl}/boot/file/${image.sha256}/root.tar.zst`,
      kernel: '/boot/vmlinuz',
      initrd: '/boot/initrd.img',
      reports: image.cloud_init,
    },
    disks,
    bootDiskId: machine.boot_disk_id,
    kernelParameters: 'console=tty0 console=ttyS0,115200 net.ifnames=0',
    seed: {
      metadataUrl: `${serviceUrl}/MAAS/metadata/`,
      statusUrl: `${serviceUrl}/MAAS/metadata/status/${machine.system_id}`,
      ...systemCredential,
    },
  };
}
