import { UserError } from '../../kube/controller/controller.ts'
import { forbiddenBy } from '../world/pod-security.ts'
import type { World } from '../world/world.ts'
import type { ProxyRequest } from './request.ts'

/**
 * The options of a request that an agent does not have, and which are left out with it.
 * @throws UserError if one of these is what the proxies are for
 */
export function ignoredOptions({ ownOptions }: ProxyRequest, agent: 'culvert' | 'upstream'): readonly string[] {
  if (agent === 'culvert') return []
  const essential = ownOptions.find(({ isEssential }) => isEssential === true)
  if (essential === undefined) return ownOptions.map(({ setBy }) => setBy)
  throw new UserError(
    'NotSupportedByAgent',
    `${essential.setBy} needs Culvert’s agent, and the image of the proxies has Tailscale’s`,
    'Remove it, or use a ProxyClass with the annotation culvert/agent: culvert and an image that has it.',
  )
}

/** @throws UserError if the namespace of the proxies does not admit Pods that forward packets */
export function mustBeAdmitted(
  { mode }: Pick<ProxyRequest, 'mode'>,
  world: Pick<World, 'get'>,
  namespace: string,
): void {
  const level = mode === 'kernel' ? forbiddenBy(world, namespace) : undefined
  if (level === undefined) return
  throw new UserError(
    'PodSecurity',
    `the proxy forwards packets in the kernel, for which it needs NET_ADMIN, and namespace "${namespace}" enforces the Pod Security level ${level}`,
    'Label the namespace pod-security.kubernetes.io/enforce: privileged.',
  )
}
