import { UserError } from '../../kube/controller/controller.ts'

/**
 * Checks what an object of this kind has as `spec.tailnet`.
 * @throws UserError with this reason if it is a Tailnet: there is none but the default one
 */
export function mustBeDefaultTailnet(tailnet: string | undefined, kind: string, reason: string): void {
  if (tailnet === undefined || tailnet === '') return
  throw new UserError(
    reason,
    `it asks for the Tailnet "${tailnet}", and other tailnets than the default one are not managed`,
    `Create a ${kind} without tailnet.`,
  )
}
