import { UserError } from '../../kube/controller/controller.ts'
import { KubeError } from '../../kube/error.ts'
import type { ProxyClass } from './class.ts'

/**
 * Gives what throws an error about a StatefulSet again: as a UserError that names the ProxyClass if the API refuses
 * what the StatefulSet says. Without a class it never does.
 */
export const blaming =
  (of: Pick<ProxyClass, 'name'> | undefined) =>
  (error: unknown): never => {
    const said = of === undefined || !(error instanceof KubeError) ? undefined : refusedTemplate(error)
    if (of === undefined || said === undefined) throw error
    const message = `ProxyClass "${of.name}" makes a StatefulSet that the API refuses: ${said}`
    throw new UserError('ProxyClassInvalid', message, 'Correct the ProxyClass.')
  }

const unreadable =
  /^failed to (?:create typed patch object \([^)]*\)|convert new object .* unable to convert unstructured object to [^:]*): ([^]*)$/

/** What the API says of fields that it does not know, or whose values cannot be. */
function refusedTemplate({ status, message }: KubeError): string | undefined {
  const [, said = ''] = / (?:500|400|422) ([^]*)$/.exec(message) ?? []
  // By this status it tells of fields that it does not know, and of values that it cannot read.
  if (status === 500) return unreadable.exec(said)?.[1]
  if (/updates to statefulset spec|denied the request/.test(said)) return undefined
  return status === 400 || status === 422 ? said : undefined
}
