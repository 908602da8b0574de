Loaded Prisma config from prisma.config.ts.

Error: Can't reach database server at `127.0.0.1:5432`

Please make sure your database server is running at `127.0.0.1:5432`.


