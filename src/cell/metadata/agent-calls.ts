/** The calls of the agent in the ephemeral environment (docs/agent-protocol.md). Every one may be repeated by the same boot. */
import { fail } from '../../contract/errors.ts';
import { stateOf } from '../../contract/lifecycle.ts';
import type { Handlers, MachineCaller } from '../../http/handler.ts';
import { record } from '../db/event-store.ts';
import { openFinding } from '../db/finding-store.ts';
import { disksOf, saveAccounts } from '../db/inventory-store.ts';
import { findByIdentity } from '../db/machine-identity.ts';
import { machineFacts, rescueCheckIn } from '../db/metadata-store.ts';
import { readNetworkModel } from '../db/network-model.ts';
import { storageToInstall } from '../db/storage-store.ts';
import { hasten } from '../db/operation-store.ts';
import { claimTicket, heartbeat, mintCredential, spendTicket, ticketByNonce } from '../db/ticket-store.ts';
import { LostRace } from '../db/cell-db.ts';
import { agentReply } from './agent-reply.ts';
import { checkInBoot } from './boot-check-in.ts';
import { readDiskReport } from './disk-report.ts';
import { bootCredential, hashSecret, rescueNonce, systemCredential } from './machine-credential.ts';
import type { MetadataContext } from './metadata-context.ts';

type AgentRoutes = 'AgentCheckIn.create' | 'AgentClaim.create' | 'AgentSpend.create' | 'AgentHeartbeat.create';

export function agentHandlers(context: MetadataContext): Handlers<AgentRoutes> {
  const { database, secretKey, door } = context;

  async function refuseNonce(
    kind: 'wrong_nonce' | 'nonce_from_elsewhere' | 'second_boot_id',
    address: string,
    mac: string,
    systemId?: string,
  ): Promise<never> {
    await database.transaction((tx) =>
      openFinding(tx, {
        kind,
        subject: systemId ?? address,
        ...(systemId === undefined ? {} : { systemId }),
        data: { address, mac, system_id: systemId ?? '' },
      }),
    );
    throw fail('forbidden');
  }

  /** The machines that have any of these cards: one statement, however many an anonymous caller names. */
  const ownersOf = (macs: readonly string[]) => findByIdentity(database.db, { macs, hardwareUuid: '', serial: '' });

  /** Rescue has no ticket: the nonce follows from the machine, and is good only while its state says rescue. */
  async function rescue(nonce: string, bootId: string, macs: readonly string[], address: string): Promise<string | undefined> {
    for (const systemId of await ownersOf(macs)) {
      if (rescueNonce(secretKey, systemId) !== nonce) continue;
      const machine = await machineFacts(database.db, systemId);
      if (!machine || !['rescue_mode', 'entering_rescue_mode'].includes(stateOf(machine.status))) continue;
      const credential = bootCredential(secretKey, nonce, bootId);
      await database.transaction(async (tx) => {
        await rescueCheckIn(tx, systemId, bootId, address);
        await mintCredential(tx, {
          ...credential,
          secretHash: hashSecret(credential.tokenSecret),
          systemId,
          kind: 'boot',
          bootId,
          address,
        });
        await record(tx, { kind: 'boot_checked_in', systemId, description: 'booted to rescue', data: { boot: bootId } });
        await hasten(tx, systemId);
      });
      return checkedIn({ system_id: systemId, hostname: machine.hostname }, 'rescue', credential);
    }
    return undefined;
  }

  return {
    'AgentCheckIn.create': async ({ params, caller }) => {
      const { nonce, boot_id: bootId, mac: macs } = params;
      const { address } = caller;
      const ticket = await ticketByNonce(database.db, nonce);
      if (!ticket) return (await rescue(nonce, bootId, macs, address)) ?? refuseNonce('wrong_nonce', address, macs[0] ?? '');
      // A nonce is of use only to the machine that it was made for.
      if (!(await ownersOf(macs)).includes(ticket.system_id))
        return refuseNonce('nonce_from_elsewhere', address, macs[0] ?? '', ticket.system_id);
      const { outcome, credential } = await checkInBoot(context, ticket, bootId, address);
      switch (outcome) {
        case 'first':
        case 'again':
          return checkedIn(ticket, ticket.purpose, credential);
        case 'elsewhere':
          return refuseNonce('nonce_from_elsewhere', address, macs[0] ?? '', ticket.system_id);
        case 'other_boot':
        case 'no_boots_left':
          return refuseNonce('second_boot_id', address, macs[0] ?? '', ticket.system_id);
        case 'dead':
          return refuseNonce('wrong_nonce', address, macs[0] ?? '');
      }
    },

    'AgentClaim.create': async ({ params, caller }) => {
      const nonce = boundNonce(caller, params.boot_id);
      const seen = readDiskReport(params.disk);
      const [ticket, machine, disks, network, planned] = await Promise.all([
        ticketByNonce(database.db, nonce),
        machineFacts(database.db, caller.systemId),
        disksOf(database.db, caller.systemId),
        readNetworkModel(database.db, caller.systemId),
        storageToInstall(database.db, caller.systemId),
      ]);
      if (!ticket || !machine || !network || !planned || ticket.system_id !== caller.systemId)
        throw fail('claim_refused', { text: 'There is no such ticket.' });
      // What was granted is given again, whatever the disks look like by now.
      if (ticket.live && ticket.boot_id === params.boot_id && isGranted(ticket.plan)) return ticket.plan.script;
      const system = systemCredential(secretKey, machine.system_id, ticket.operation_id);
      const verdict = door.judge({
        ticket,
        bootId: params.boot_id,
        machine,
        disks,
        seen,
        ...planned,
        network,
        serviceUrls: context.serviceUrls,
        systemCredential: system,
      });
      if (!verdict.granted) {
        await database.transaction(async (tx) => {
          await record(tx, {
            kind: 'claim_refused',
            systemId: machine.system_id,
            description: verdict.text,
            data: { reason: verdict.reason },
          });
          if (verdict.reason === 'boot')
            await openFinding(tx, {
              kind: 'second_boot_id',
              subject: machine.system_id,
              systemId: machine.system_id,
              data: { system_id: machine.system_id },
            });
          if (verdict.reason === 'foreign_data')
            await openFinding(tx, {
              kind: 'foreign_data',
              subject: machine.system_id,
              systemId: machine.system_id,
              data: { system_id: machine.system_id, disk: verdict.disk, found: verdict.text },
            });
          if (verdict.reason === 'missing_disk')
            await openFinding(tx, {
              kind: 'missing_disk',
              subject: machine.system_id,
              systemId: machine.system_id,
              data: { system_id: machine.system_id, disk: verdict.disk },
            });
        });
        throw fail('claim_refused', { text: verdict.text });
      }
      door.killPoint('claim:before');
      await database.transaction(async (tx) => {
        await claimTicket(tx, nonce, params.boot_id, { script: verdict.script }).catch((error: unknown) => {
          throw error instanceof LostRace
            ? fail('claim_refused', { text: 'This ticket is spent, void or expired, or another boot owns it.' })
            : error;
        });
        if (ticket.purpose === 'deploy') {
          await mintCredential(tx, { ...system, secretHash: hashSecret(system.tokenSecret), systemId: machine.system_id, kind: 'system' });
        }
        door.killPoint('claim:after-effect');
      });
      door.killPoint('claim:before-reply');
      return verdict.script;
    },

    'AgentSpend.create': async ({ params, caller }) => {
      boundBoot(caller, params.boot_id);
      const disks = readDiskReport(params.disk ?? []);
      door.killPoint('spend:before');
      const purpose = await database.transaction(async (tx) => {
        const spent = await spendTicket(
          tx,
          caller.systemId,
          params.boot_id,
          params.outcome === 'done' ? 'done' : 'failed',
          params.detail ?? '',
        );
        if (spent !== undefined && disks.length > 0) await saveAccounts(tx, caller.systemId, disks);
        door.killPoint('spend:after-effect');
        return spent;
      });
      door.killPoint('spend:before-reply');
      if (purpose === undefined) throw fail('claim_refused', { text: 'This boot owns no live ticket.' });
      return agentReply({ ACTION: purpose === 'deploy' && params.outcome === 'done' ? 'reboot' : 'poweroff' });
    },

    'AgentHeartbeat.create': async ({ params, caller }) => {
      boundBoot(caller, params.boot_id);
      const progress = [params.step, params.percent === undefined ? undefined : `${Math.round(params.percent)} %`]
        .filter(Boolean)
        .join(' ');
      const goOn = await heartbeat(database.db, caller.systemId, params.boot_id, progress);
      return agentReply({ ACTION: goOn ? 'go-on' : 'poweroff' });
    },
  };
}

function checkedIn(
  machine: { system_id: string; hostname: string },
  purpose: string,
  credential: { consumerKey: string; tokenKey: string; tokenSecret: string },
): string {
  return agentReply({
    SYSTEM_ID: machine.system_id,
    HOSTNAME: machine.hostname,
    PURPOSE: purpose,
    CONSUMER_KEY: credential.consumerKey,
    TOKEN_KEY: credential.tokenKey,
    TOKEN_SECRET: credential.tokenSecret,
  });
}

function boundBoot(caller: MachineCaller, bootId: string): void {
  if (caller.credential !== 'boot' || caller.bootId !== bootId) throw fail('forbidden');
}

function boundNonce(caller: MachineCaller, bootId: string): string {
  boundBoot(caller, bootId);
  if (caller.ticket === undefined) throw fail('claim_refused', { text: 'This boot has no ticket.' });
  return caller.ticket;
}

function isGranted(plan: unknown): plan is { script: string } {
  return typeof plan === 'object' && plan !== null && 'script' in plan && typeof plan.script === 'string';
}
