import { UserError } from '../../kube/controller/controller.ts'
import { called } from '../objects/annotations.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { presentFor } from '../proxy/owned.ts'
import { type Ask, askOf, holderOf, isSameParent } from './ask.ts'
import { isGivenUp, recordOf } from './record.ts'

/** Another object still has the name, and gives it up by itself, or when it gets another one. */
export const nameInUse = 'NameInUse'
/** Another object has the name, and keeps it as long as nobody changes what one of them asks for. */
export const nameTaken = 'HostnameTaken'

/**
 * Looks whether the object is the one that has the name which it asks for, or is to have it.
 * @throws UserError `NameInUse` or `HostnameTaken` if another one has it
 */
export function mustHold({ parent, service }: Ask, world: World, settings: OperatorSettings): void {
  const holder = holderOf(world, service, settings)
  if (holder === undefined || isSameParent(holder, parent)) return
  const other = presentFor(world, holder)
  const whose = other === undefined ? 'an object that is gone' : called(other)
  const next = other && askOf(other, settings)?.service
  if (next === service)
    throw new UserError(nameTaken, `${service} is that of ${whose}`, 'Choose another name for one of them.')
  const record = recordOf(world, service, settings.namespace)
  const keeper = next === undefined ? undefined : recordOf(world, next, settings.namespace)?.parent
  if (keeper !== undefined && isSameParent(keeper, parent))
    throw new UserError(
      nameTaken,
      `${service} is that of ${whose}, which asks for ${next} of this one: each keeps its name until it has the other’s`,
      'Give one of them a third name first.',
    )
  // One that has its next name already gives this one up even if that does not work any more.
  const hasNext = keeper !== undefined && isSameParent(keeper, holder)
  throw next === undefined || (hasNext && record !== undefined && isGivenUp(record))
    ? new UserError(nameInUse, `${service} is still that of ${whose}, which is giving it up`)
    : new UserError(nameInUse, `${service} is still that of ${whose}, which keeps it until ${next} works`)
}
