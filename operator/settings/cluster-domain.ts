/**
 * The cluster's DNS domain, from the Pod's `/etc/resolv.conf`: its search list begins with `<namespace>.svc.<domain>`,
 * `svc.<domain>` and `<domain>`. Otherwise the usual one.
 */
export function clusterDomain(resolvConf: string): string {
  const line = resolvConf.split('\n').findLast((one) => /^\s*search\s/.test(one)) ?? ''
  const [first, second, third] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((domain) => domain.replace(/\.$/, ''))
  const matches = third !== undefined && second === `svc.${third}` && first?.endsWith(`.${second}`) === true
  return matches ? third : 'cluster.local'
}
