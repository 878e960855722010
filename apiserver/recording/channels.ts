/** What is sent in a session, in the order of the numbers that its channels have in a WebSocket. */
export const channels = ['stdin', 'stdout', 'stderr', 'error', 'resize'] as const
export type Channel = (typeof channels)[number]

/** Some bytes of a channel; undefined for one that has no name, such as those about other channels. */
export type Piece = { readonly channel: Channel | undefined; readonly bytes: Buffer }
