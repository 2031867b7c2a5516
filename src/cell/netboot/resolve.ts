/**
 * What a machine that asks the network gets. The decision is the contract's table; this evaluates it and decides nothing itself.
 */
import { bootRules, type BootAnswer, type BootFacts, type BootRule } from '../../contract/boot.ts';
import { lifecycle } from '../../contract/lifecycle.ts';

function holds(when: BootRule['when'], facts: BootFacts): boolean {
  const { machine } = facts;
  const standing = machine && lifecycle[machine.state].boots;
  return (
    (when.known === undefined || when.known === (machine !== undefined)) &&
    (when.ticket === undefined || when.ticket === (facts.ticket !== undefined)) &&
    (when.locked === undefined || when.locked === machine?.locked) &&
    (when.movedAway === undefined || when.movedAway === machine?.movedAway) &&
    (when.standing === undefined || when.standing === standing) &&
    (when.enlists === undefined || when.enlists === facts.enlists) &&
    (when.unsure === undefined || when.unsure === facts.unsure)
  );
}

function answerOf(answer: BootRule['answer'], facts: BootFacts): BootAnswer {
  if (answer === 'ticket') return facts.ticket ? { boot: 'environment', purpose: facts.ticket.purpose } : { boot: 'local' };
  if (answer === 'rescue') return { boot: 'standing', purpose: 'rescue' };
  return { boot: answer };
}

/** The first row whose facts all hold answers, and its name says why. Pure; what no row covers boots its own disk. */
export function resolveBoot(facts: BootFacts, rules: readonly BootRule[] = bootRules): { answer: BootAnswer; because: string } {
  const rule = rules.find(({ when }) => holds(when, facts));
  return rule ? { answer: answerOf(rule.answer, facts), because: rule.name } : { answer: { boot: 'local' }, because: 'no rule' };
}
