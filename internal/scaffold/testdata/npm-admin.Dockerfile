# A Medusa app. What it is built with stays behind, and the layer with its dependencies is made from package.json and the
# lockfile alone: a change of the source neither installs nor uploads them again. docs/medusa.md explains each line.
FROM node:22-bookworm-slim AS base
# Not /app: that name gets in the way of what extends the admin, as Medusa's own Docker guide warns.
WORKDIR /image/server
ENV MEDUSA_DISABLE_TELEMETRY=true

# The dependencies that the app runs with. A private registry's token comes as a secret, which no layer keeps.
FROM base AS production
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/npm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --legacy-peer-deps --cache /npm --omit=dev \
    && find . -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What it is built with, on top of them.
FROM production AS tools
RUN --mount=type=cache,target=/npm --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm install --legacy-peer-deps --no-save --cache /npm

# What the admin is made from: all but what the server alone reads, unless something else imports from there.
FROM base AS admin-source
COPY . .
RUN mkdir /server && for dir in api jobs migration-scripts scripts subscribers workflows; do \
      if [ -d "src/$dir" ]; then mv "src/$dir" /server/; fi; done \
    && if grep -rqsE "[\"']((\.\./)+(src/)?|\./src/|[@~]/?(src/)?|src/)(api|jobs|migration-scripts|scripts|subscribers|workflows)[\"'/]" src medusa-config.*; then \
      cp -r /server/. src/; fi

# The admin takes most of a build's time and up to 2 GB of memory. A change of the server does not make it again.
FROM tools AS admin
COPY --from=admin-source /image/server ./
RUN npx --no-install medusa build --admin-only

FROM tools AS build
COPY . .
# Needs no database.
RUN DISABLE_MEDUSA_ADMIN=true npx --no-install medusa build

# Of the dependencies, what a server reads: a third. All times are zero, so that the same dependencies are the same layer
# wherever they are installed.
FROM production AS pruned
RUN --mount=type=bind,source=Dockerfile.prune.mjs,target=/prune.mjs node /prune.mjs \
    && find /image -newermt @1 -exec touch --no-dereference --date=@0 {} +

# What `medusa build` has made is an app of its own, which runs where its files lie.
FROM node:22-bookworm-slim
# The files are the user's that runs them: `medusa db:migrate` makes a directory in every module that has no migrations.
COPY --from=pruned --chown=node:node /image /
WORKDIR /server
ENV NODE_ENV=production PORT=9000 MEDUSA_DISABLE_TELEMETRY=true XDG_CONFIG_HOME=/tmp PATH=/server/node_modules/.bin:$PATH
COPY --from=admin --chown=node:node /image/server/.medusa/admin ./public/admin
COPY --from=build --chown=node:node /image/server/.medusa/server ./
ARG COMMIT
ENV COMMIT=$COMMIT
USER node
EXPOSE 9000
# No shell and no npm in between: SIGTERM reaches Medusa, which finishes the requests that it has.
CMD ["medusa", "start"]
