import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('serve', {
  serves: { text: 'serving {what}', meaning: 'What tailscaled serves of the serve config from now on.' },
  servesAs: { text: 'serving {what} as {domain}', meaning: 'The same, with the node’s name in HTTPS.' },
  hosts: { text: 'hosting {services}', meaning: 'The Tailscale Services that the node advertises from now on.' },
  problem: {
    text: 'warning: {problem}',
    meaning: 'An entry of the serve config is not served as it says, or waits. The others are served.',
    remedy: 'As the message says; [L7 ingress](l7-ingress.md) explains what entries wait for.',
  },
  routesWithdrawn: {
    text: 'routes withdrawn, so that another router takes over',
    meaning: 'The agent stops, and its routes are no longer advertised.',
  },
  connectorWithdrawn: {
    text: 'no app connector any more, so that another one takes over',
    meaning: 'The agent stops, and the node is no app connector any more.',
  },
  servicesWithdrawn: {
    text: 'Tailscale Services withdrawn, so that another host takes over',
    meaning: 'The agent stops, and its Tailscale Services are no longer advertised.',
  },
  oldForwards: {
    text: 'tailscaled no longer forwards {ports}, which the settings of an earlier run had it do',
    meaning: 'Ports that an earlier run had tailscaled forward have rules now, or nothing.',
  },
  unmanaged: {
    text: 'tailscaled serves {what}, which was set by hand or by an earlier run: tailscale serve reset ends it',
    meaning: 'tailscaled serves something that no setting asks for.',
    remedy: '`tailscale serve reset` in the container, if it is not wanted.',
  },
})
