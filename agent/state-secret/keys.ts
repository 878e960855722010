/** The keys of the state Secret that the agent writes (agent.md §3); `tailscaled-state.ts` has tailscaled's. */
export const keys = {
  capver: 'tailscale_capver',
  podUid: 'pod_uid',
  deviceId: 'device_id',
  deviceFqdn: 'device_fqdn',
  deviceIps: 'device_ips',
  reissue: 'reissue_authkey',
  httpsEndpoint: 'https_endpoint',
  egressServices: 'egress-services',
  ingressServices: 'ingress-config.json',
  /** What is remembered of certificates that could not be had. */
  certificates: 'culvert-certificates',
  /** Written by users and operators; adopted, and never written by the agent. */
  authKey: 'authkey',
} as const

/** Of an earlier run, and meaningless in this one. */
export const staleAtBoot = [keys.httpsEndpoint, keys.egressServices, keys.ingressServices] as const
