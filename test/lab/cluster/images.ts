/** What holds a Pod's namespaces. */
export const pauseImage = 'lab.test/pause:1'

/** A small image to test with: busybox's programs, and `echo-server NAME PORT…`, the backend that `ask` understands. */
export const toolsImage = 'lab.test/tools:1'
