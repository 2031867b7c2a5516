import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import { PowerFailure } from './driver.ts';
import { redfishOrigin } from './redfish-client.ts';
import { allowedByInfo, bodyEtag, bootOverride, chooseResetType, pickSystem, resetAction, systemPower } from './redfish-system.ts';

test('an address is https unless it says otherwise', () => {
  expect(redfishOrigin('10.0.0.9').href).toBe('https://10.0.0.9/');
  expect(redfishOrigin('https://bmc.example:8443/').href).toBe('https://bmc.example:8443/');
  expect(redfishOrigin('http://[fd00::1]:8000').href).toBe('http://[fd00::1]:8000/');
  for (const bad of ['', 'https://', 'ftp://x', 'https://u:p@x', 'x/redfish/v1', 'https://x?y'])
    expect(() => redfishOrigin(bad)).toThrow(PowerFailure);
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const { username, pathname, protocol } = redfishOrigin(text);
        expect([username, pathname]).toEqual(['', '/']);
        expect(['http:', 'https:']).toContain(protocol);
      } catch (error) {
        assert(error instanceof PowerFailure, String(error));
      }
    }),
  );
});

test('the plainest reset type that is allowed', () => {
  expect(chooseResetType('on', undefined)).toBe('On');
  expect(chooseResetType('cycle', ['PowerCycle', 'GracefulRestart'])).toBe('PowerCycle');
  expect(() => chooseResetType('on', ['GracefulRestart'])).toThrow(PowerFailure);
  expect(() => chooseResetType('on', [])).toThrow(PowerFailure);
});

// JSON from a stranger, biased towards the names that are looked for.
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('On', 'Off', 'Pxe', '/redfish/v1/Systems/1', '', null, true, 1),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'Members',
        '@odata.id',
        '@odata.etag',
        'PowerState',
        'Actions',
        '#ComputerSystem.Reset',
        'target',
        '@Redfish.ActionInfo',
        'ResetType@Redfish.AllowableValues',
        'Boot',
        'BootSourceOverrideTarget@Redfish.AllowableValues',
        'Parameters',
        'Name',
        'AllowableValues',
      ),
      tie('value'),
      { maxKeys: 6 },
    ),
  ),
})).value;

test('any JSON is a choice or a failure in words, and no state is guessed', () => {
  fc.assert(
    fc.property(json, fc.constantFrom('', '1', 'x'), (value, nodeId) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
      const body = value as Record<string, unknown>;
      const state = systemPower(body);
      expect(state).toBe(body['PowerState'] === 'On' ? 'on' : body['PowerState'] === 'Off' ? 'off' : 'unknown');
      for (const read of [
        () => pickSystem(body, nodeId),
        () => resetAction(body),
        () => bootOverride(body, 'network'),
        () => allowedByInfo(body),
        () => bodyEtag(body),
      ]) {
        try {
          read();
        } catch (error) {
          assert(error instanceof PowerFailure, String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});
