/** Every handler of machines that needs no choice among them; allocation is `cell/allocate/`. */
import type { ApiContext } from './api-context.ts';
import { commissionHandlers } from './commission.ts';
import { deployHandlers } from './deploy.ts';
import { machineBulkHandlers } from './machine-bulk.ts';
import { machineChassisHandlers } from './machine-chassis.ts';
import { machineCloneHandlers } from './machine-clone.ts';
import { machineCreateHandlers } from './machine-create.ts';
import { machineHardwareHandlers } from './machine-hardware.ts';
import { machineListHandlers } from './machine-lists.ts';
import { machineMarkHandlers } from './machine-marks.ts';
import { machineNetworkingHandlers } from './machine-networking.ts';
import { machinePowerHandlers } from './machine-power.ts';
import { machineUpdateHandlers } from './machine-update.ts';
import { releaseHandlers } from './release.ts';
import { storageLayoutHandlers } from './storage-layouts.ts';
import { userResourceHandlers } from './user-resources.ts';

/** Handlers of `Machines.*` and `Machine.*` but allocation, and of what users have. */
export function machineHandlers(context: ApiContext) {
  return {
    ...machineListHandlers(context),
    ...machineHardwareHandlers(context),
    ...machineBulkHandlers(context),
    ...machineCreateHandlers(context),
    ...machineChassisHandlers(context),
    ...machineCloneHandlers(context),
    ...machineUpdateHandlers(context),
    ...commissionHandlers(context),
    ...deployHandlers(context),
    ...releaseHandlers(context),
    ...machineNetworkingHandlers(context),
    ...machinePowerHandlers(context),
    ...machineMarkHandlers(context),
    ...storageLayoutHandlers(context),
    ...userResourceHandlers(context),
  };
}
