// Makes this process report an older version of Node.
Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.22.0' } })
