// Drives CloudBlue's JavaScript SDK, unchanged, against the simulator whose
// base URL is the first argument and whose key is the second. It prints one
// line for each step and fails at the first that goes wrong.
'use strict';

const assert = require('node:assert/strict');
const {
  ConnectClient, Fulfillment, Directory, Inventory, APIError,
} = require('@cloudblueconnect/connect-javascript-sdk');

const [endpoint, key] = process.argv.slice(2);
const client = new ConnectClient(endpoint, key);
const fulfillment = new Fulfillment(client);
const directory = new Directory(client);
const inventory = new Inventory(client);

const refusedWith = (status, code) => (err) => {
  assert.ok(err instanceof APIError, `${err}`);
  assert.equal(err.status, status);
  assert.equal(err.errorCode, code);
  return true;
};

const named = (params, id) => params.find((p) => p.id === id);

async function pendingOf(type) {
  const found = await fulfillment.searchRequests({ status: 'pending', type, $ordering: 'created' });
  assert.ok(found.length > 0);
  return found[0];
}

const templates = {};

const steps = {
  async 'list requests in the SDK\'s query language'() {
    const all = await client.requests.search({ limit: 1000 });
    assert.equal(all.length, 100);
    const product = all[0].asset.product.id;
    for (const [filter, want] of [
      [{ $or: [{ type: 'purchase' }, { type: 'change' }] }, (r) => ['purchase', 'change'].includes(r.type)],
      [{ type: { $in: ['purchase', 'change'] } }, (r) => ['purchase', 'change'].includes(r.type)],
      [{ type: { $out: ['purchase', 'change'] } }, (r) => !['purchase', 'change'].includes(r.type)],
      [{ type: { $ne: 'cancel' } }, (r) => r.type !== 'cancel'],
      [{ type: { $not: { $eq: 'cancel' } } }, (r) => r.type !== 'cancel'],
      [{ 'asset.product.id': product, status: 'pending' }, (r) => r.asset.product.id === product],
      [{ 'asset.tiers.customer.name': { $ilike: 'tulip' } }, (r) => r.asset.tiers.customer.name.includes('Tulip')],
      [{ 'asset.tiers.customer.name': 'Tulip Bakery BV' }, (r) => r.asset.tiers.customer.name === 'Tulip Bakery BV'],
    ]) {
      const found = await client.requests.search({ ...filter, limit: 1000 });
      assert.deepEqual(found.map((r) => r.id), all.filter(want).map((r) => r.id), JSON.stringify(filter));
      assert.ok(found.length > 0 && found.length < all.length, JSON.stringify(filter));
    }
    const newest = await client.requests.search({ $ordering: '-created', $select: ['-asset.items'], limit: 1 });
    assert.equal(newest[0].id, all.at(-1).id);
    assert.equal(newest[0].asset.items, undefined);
  },

  async 'read the catalogue'() {
    const [{ id }] = await client.products.search();
    assert.equal((await client.products.get(id)).id, id);
    const assetTemplates = await inventory.getProductAssetTemplates(id);
    assert.equal(assetTemplates.length, 3);
    for (const t of await inventory.getProductTemplates(id)) templates[`${t.scope} ${t.type}`] = t.id;
    const params = await inventory.getAssetParametersForFulfillmentByProduct(id);
    assert.ok(params.some((p) => p.name === 'subscription_id'));
    assert.ok((await client.products.getItems(id)).length > 1);
    assert.ok((await client.products.getParameters(id)).length > 1);
    assert.equal((await client.products.configurations(id).search()).length, 1);
    assert.ok((await client.hubs.search()).length > 0);
    assert.ok((await client.accounts.search()).length > 0);
    const [{ hub }] = await client.products.getConnections(id);
    assert.equal(await fulfillment.getConnectionIdByProductAndHub(id, 'HB-0'), null);
    assert.ok(hub.id);
  },

  async 'fulfil and approve with a template'() {
    const { id } = await pendingOf('purchase');
    await assert.rejects(fulfillment.approveRequestWithTemplate(id, templates['asset fulfillment']), refusedWith(400, 'REQ_003'));
    const saved = await fulfillment.updateRequestParameters(id, [{ id: 'subscription_id', value: 'js-1', value_error: '' }], 'by the SDK');
    assert.equal(named(saved.asset.params, 'subscription_id').value, 'js-1');
    assert.equal(saved.note, 'by the SDK');
    const approved = await fulfillment.approveRequestWithTemplate(id, templates['asset fulfillment']);
    assert.equal(approved.status, 'approved');
    assert.equal(approved.asset.status, 'active');
    assert.match(approved.activation_key, /js-1/);
    assert.equal((await fulfillment.getRequest(id)).status, 'approved');
    await assert.rejects(fulfillment.approveRequest(id, { activation_tile: 'x' }), refusedWith(400, 'REQ_003'));
    const found = await directory.searchAssets({ 'params.id': 'subscription_id', 'params.value': 'js-1' });
    assert.equal(found[0].id, approved.asset.id);
    const same = await directory.getAssetsByProductIdExternalId(found[0].product.id, found[0].external_id);
    assert.equal(same.length, 1);
  },

  async 'fail'() {
    const { id } = await pendingOf('change');
    await assert.rejects(fulfillment.failRequest(id, ''), refusedWith(400, 'REQ_005'));
    assert.equal((await fulfillment.failRequest(id, 'Not possible.')).reason, 'Not possible.');
  },

  async 'inquire and pend'() {
    const { id } = (await client.requests.search({ type: 'purchase', status: 'pending', 'asset.product.id': 'PRD-620-114-337' }))[0];
    const wrong = [{ id: 'admin_email', value_error: 'No e-mail address.' }];
    const inquired = await fulfillment.inquireRequestWithTemplate(id, templates['asset inquire'], wrong);
    assert.equal(inquired.status, 'inquiring');
    assert.ok(inquired.params_form_url);
    assert.equal((await fulfillment.pendingRequest(id)).status, 'pending');
    await assert.rejects(fulfillment.pendingRequest(id), refusedWith(400, 'REQ_003'));
  },

  async 'create a purchase and a change'() {
    const [product] = await client.products.search();
    const [item] = await client.products.getItems(product.id);
    const bought = await fulfillment.createRequest({
      type: 'purchase',
      asset: {
        product: { id: product.id },
        connection: { id: 'CT-5512-0098-3321' },
        external_uid: 'uid-1',
        external_id: 'js-order',
        items: [{ id: item.local_id, quantity: 3 }],
        params: [{ id: 'admin_email', value: 'js@example.com' }],
        tiers: { customer: { name: 'JS' } },
      },
      marketplace: { id: 'MP-27311' },
    });
    assert.equal(bought.status, 'pending');
    assert.equal(bought.asset.items[0].quantity, '3');
    const change = { type: 'change', asset: { id: bought.asset.id, items: [{ id: item.local_id, quantity: 4 }] } };
    await assert.rejects(fulfillment.createRequest(change), refusedWith(400, 'VAL_001'));
    await fulfillment.updateRequestParameters(bought.id, [{ id: 'subscription_id', value: 'js-2' }]);
    await fulfillment.approveRequest(bought.id, { activation_tile: 'done' });
    const changed = await fulfillment.createRequest(change);
    assert.equal(changed.asset.items[0].quantity, '4');
    assert.equal(changed.asset.items[0].old_quantity, '3');
  },

  async 'tier requests'() {
    const pending = await fulfillment.searchTierConfigRequests({ status: 'pending', 'configuration.tier_level': 1 });
    const [first, second] = pending.filter((r) => r.configuration.product.id === 'PRD-620-114-337');
    const saved = await fulfillment.updateTierConfigRequestParameters(first.id, [{ id: 'reseller_ref', value: 'P-1' }], 'hi');
    assert.equal(saved.notes, 'hi');
    assert.equal(await fulfillment.inquireTierConfigRequest(first.id, [{ id: 'reseller_contact', value_error: 'no' }]), undefined);
    assert.equal((await fulfillment.getTierConfigRequest(first.id)).status, 'inquiring');
    await fulfillment.pendingTierConfigRequest(first.id);
    const answer = await fulfillment.approveTierConfigRequestWithTemplate(first.id, templates['tier1 fulfillment']);
    assert.equal(answer.template.id, templates['tier1 fulfillment']);
    assert.match(answer.template.representation, /P-1/);
    await assert.rejects(fulfillment.pendingTierConfigRequest(first.id), refusedWith(400, 'TC_006'));
    const [config] = await directory.searchTierConfigurations({ id: first.configuration.id });
    assert.equal(config.status, 'active');
    const update = await fulfillment.createUpdateTierConfigRequest(config.id, [{ id: 'reseller_contact', value: 'new@example.com' }]);
    assert.equal(update.type, 'update');
    await fulfillment.failTierConfigRequest(second ? second.id : update.id, 'no');
    assert.ok((await directory.searchTierAccounts()).length > 0);
  },

  async 'conversations'() {
    const { id } = await pendingOf('suspend');
    const [conversation] = await client.conversations.getConversationsByObjectId(id);
    await client.conversations.createMessage(conversation.id, 'hello');
    await client.conversations.messages(conversation.id).create({ text: 'again', type: 'private' });
    const messages = await client.conversations.messages(conversation.id).search();
    assert.deepEqual(messages.map((m) => m.text), ['hello', 'again']);
    assert.equal((await client.conversations.get(conversation.id)).messages.length, 2);
  },

  async 'errors'() {
    await assert.rejects(client.requests.get('PR-0'), refusedWith(404, 'NFND_000'));
    const stranger = new ConnectClient(endpoint, 'ApiKey wrong');
    await assert.rejects(stranger.requests.search(), refusedWith(401, 'AUTH_001'));
  },
};

async function main() {
  for (const [name, step] of Object.entries(steps)) {
    await step();
    console.log(`ok ${name}`);
  }
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
