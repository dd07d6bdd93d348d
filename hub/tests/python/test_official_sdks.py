"""The hub judged by software we did not write: azure-iot-device and azure-iot-hub, unmodified."""

import asyncio
import json
import queue
import threading
import uuid

import pytest
import requests
from azure.iot.device import IoTHubModuleClient, Message
from azure.iot.device.aio import IoTHubModuleClient as AsyncModuleClient
from azure.iot.device.exceptions import ClientError, CredentialError
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import Twin, TwinProperties
from msrest.exceptions import HttpOperationError

from conftest import wait_until

DEVICE, MODULE = "dev-1", "azureiotsecurity"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def module_client(hub, kind=IoTHubModuleClient, **options):
    return kind.create_from_connection_string(
        hub.modules[DEVICE, MODULE], server_verification_cert=hub.ca_pem, **options
    )


@pytest.fixture
def client(hub):
    client = module_client(hub)
    yield client
    client.shutdown()


def patches_of(client):
    patches = queue.Queue()
    client.on_twin_desired_properties_patch_received = patches.put
    return patches


def connections_of(client):
    """Every state change of a client: it may come back faster than one can look."""
    states = []
    client.on_connection_state_change = lambda: states.append(client.connected)
    return states


def came_back(states):
    return False in states and states[-1]


def subscriptions_are_there(hub, patches):
    """The handler subscribes in the background; a patch that arrives shows it is done."""
    marks = []

    def arrived():
        marks.append(str(uuid.uuid4()))
        hub.desired(DEVICE, MODULE, {"mark": marks[-1]})
        try:
            while patches.get(timeout=0.5).get("mark") != marks[-1]:
                pass
            return True
        except queue.Empty:
            return False

    wait_until(arrived, "a desired patch")


# --- azure-iot-device, blocking ---------------------------------------------------------------


def test_twin_and_messages(hub, client):
    client.connect()
    assert client.connected
    assert client.get_twin() == {"desired": {"$version": 1}, "reported": {"$version": 1}}

    client.patch_twin_reported_properties({"state": {"ok": True, "n": 1}})
    client.patch_twin_reported_properties({"state": {"n": None}})
    assert client.get_twin()["reported"] == {"state": {"ok": True}, "$version": 3}
    assert hub.twin(DEVICE, MODULE)["connectionState"] == "Connected"

    message = Message(json.dumps({"text": "ü"}), message_id="m 1")
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message.custom_properties["a key"] = "x&y=z/ü"
    message.set_as_security_message()
    client.send_message(message)
    client.send_message_to_output("plain", "out1")
    first, second = hub.messages(DEVICE, MODULE)
    assert json.loads(first["body"]) == {"text": "ü"}
    assert first["properties"] == {"a key": "x&y=z/ü"}
    system = first["systemProperties"]
    assert system["message-id"] == "m 1"
    assert system["content-type"] == "application/json"
    assert system["iothub-interface-id"] == "urn:azureiot:Security:SecurityAgent:1"
    assert system["iothub-connection-module-id"] == MODULE
    assert second["systemProperties"]["iothub-outputname"] == "out1"


def test_desired_patches(hub, client):
    client.connect()
    patches = patches_of(client)
    subscriptions_are_there(hub, patches)
    version = hub.twin(DEVICE, MODULE)["properties"]["desired"]["$version"]
    hub.desired(DEVICE, MODULE, {"interval": "PT5M", "mark": None})
    assert patches.get(timeout=10) == {"interval": "PT5M", "mark": None, "$version": version + 1}
    # The same value again is told again.
    hub.desired(DEVICE, MODULE, {"interval": "PT5M"})
    assert patches.get(timeout=10) == {"interval": "PT5M", "$version": version + 2}
    body = {"properties": {"desired": {"other": {"a": [1, 2]}}}}
    hub.call("PUT", f"/twins/{DEVICE}/modules/{MODULE}", json=body)
    assert patches.get(timeout=10) == {
        "interval": None,
        "other": {"a": [1, 2]},
        "$version": version + 3,
    }
    assert client.get_twin()["desired"] == {"other": {"a": [1, 2]}, "$version": version + 3}


def test_a_rejected_patch_is_an_error(hub, client):
    client.connect()
    with pytest.raises(ClientError):
        client.patch_twin_reported_properties({"bad.key": 1})
    with pytest.raises(ClientError):
        client.patch_twin_reported_properties({str(n): "x" * 4000 for n in range(9)})
    client.patch_twin_reported_properties({"good": 1})
    assert client.get_twin()["reported"] == {"good": 1, "$version": 2}


def test_kept_subscriptions_after_a_cut(hub, client):
    client.connect()
    patches = patches_of(client)
    subscriptions_are_there(hub, patches)
    states = connections_of(client)
    hub.fault(DEVICE, MODULE, kind="cut")
    # This client does not subscribe again: only the hub's memory makes the patch arrive.
    wait_until(lambda: came_back(states), "the reconnect")
    subscriptions_are_there(hub, patches)


def test_kept_subscriptions_after_a_takeover(hub, client):
    client.connect()
    patches = patches_of(client)
    subscriptions_are_there(hub, patches)
    states = connections_of(client)
    rival = module_client(hub, connection_retry=False, auto_connect=False)
    rival.connect()
    # The first client comes back at once and wins; the rival was told not to fight.
    wait_until(lambda: came_back(states) and not rival.connected, "the reconnect")
    rival.shutdown()
    subscriptions_are_there(hub, patches)


def test_a_killed_hub_comes_back_with_everything(start, tmp_path):
    arguments = ["--data", str(tmp_path / "hub"), "--module", f"{DEVICE}/{MODULE}"]
    hub = start(*arguments)
    client = module_client(hub)
    client.connect()
    patches = patches_of(client)
    subscriptions_are_there(hub, patches)
    client.patch_twin_reported_properties({"before": "kill"})
    states = connections_of(client)
    hub.kill()
    again = start(*arguments, address=hub.address)
    assert again.ca_pem == hub.ca_pem
    assert again.modules == hub.modules
    again.desired(DEVICE, MODULE, {"while": "away"})
    wait_until(lambda: came_back(states), "the reconnect")
    subscriptions_are_there(again, patches)
    twin = client.get_twin()
    assert twin["reported"] == {"before": "kill", "$version": 2}
    assert twin["desired"]["while"] == "away"
    client.shutdown()


def test_what_was_acknowledged_survives_a_kill(start, tmp_path):
    arguments = ["--data", str(tmp_path / "hub"), "--module", f"{DEVICE}/{MODULE}"]
    address, acknowledged = None, 0
    for delay in (0.01, 0.05, 0.2):
        hub = start(*arguments, address=address)
        address = hub.address
        desired = hub.twin(DEVICE, MODULE)["properties"]["desired"]
        # One write may have been stored without its answer having been sent.
        assert desired.get("n", 0) in (acknowledged, acknowledged + 1)
        acknowledged = desired.get("n", 0)
        killer = threading.Timer(delay, hub.kill)
        killer.start()
        with pytest.raises(requests.exceptions.ConnectionError):  # noqa: PT012 - one of many calls
            while True:
                hub.desired(DEVICE, MODULE, {"n": acknowledged + 1})
                acknowledged += 1
        killer.join()
    assert acknowledged > 0


def test_a_wrong_key_is_refused(hub):
    connection = hub.modules[DEVICE, MODULE].rsplit(";", 1)[0] + f";SharedAccessKey={KEY}"
    client = IoTHubModuleClient.create_from_connection_string(
        connection, server_verification_cert=hub.ca_pem
    )
    with pytest.raises(CredentialError):
        client.connect()
    client.shutdown()


def test_a_token_that_ends_is_renewed(hub):
    # This client renews two minutes before the end, so every 3 s here.
    client = module_client(hub, sastoken_ttl=123)
    client.connect()
    patches = patches_of(client)
    subscriptions_are_there(hub, patches)
    states = connections_of(client)
    wait_until(lambda: came_back(states), "the renewal")
    subscriptions_are_there(hub, patches)
    client.shutdown()


# --- azure-iot-device, asyncio ----------------------------------------------------------------


def test_async_client(hub):
    async def scenario():
        client = module_client(hub, AsyncModuleClient)
        patches = asyncio.Queue()

        async def on_patch(patch):
            await patches.put(patch)

        client.on_twin_desired_properties_patch_received = on_patch
        await client.connect()
        assert (await client.get_twin())["desired"] == {"$version": 1}
        await client.patch_twin_reported_properties({"async": True})
        await client.send_message(Message("hello"))
        await wait_for_patch(patches, 1)
        states = connections_of(client)
        hub.fault(DEVICE, MODULE, kind="cut")
        while not came_back(states):
            await asyncio.sleep(0.01)
        await wait_for_patch(patches, 2)
        await client.shutdown()

    async def wait_for_patch(patches, value):
        while True:
            await asyncio.to_thread(hub.desired, DEVICE, MODULE, {"a": value})
            try:
                while (await asyncio.wait_for(patches.get(), 0.5)).get("a") != value:
                    pass
                return
            except asyncio.TimeoutError:
                continue

    asyncio.run(asyncio.wait_for(scenario(), 60))
    twin = hub.twin(DEVICE, MODULE)
    assert twin["properties"]["reported"]["async"] is True
    assert [message["body"] for message in hub.messages(DEVICE, MODULE)] == ["hello"]


# --- azure-iot-hub ----------------------------------------------------------------------------


@pytest.fixture
def registry(hub):
    return IoTHubRegistryManager.from_connection_string(hub.service)


def status_of(call, *arguments):
    with pytest.raises(HttpOperationError) as error:
        call(*arguments)
    return error.value.response.status_code, error.value.response.headers.get("iothub-errorcode")


def test_devices(registry):
    device = registry.create_device_with_sas("d", KEY, OTHER_KEY, "enabled")
    assert device.authentication.symmetric_key.primary_key == KEY
    assert (device.device_id, device.status, device.connection_state) == (
        "d",
        "enabled",
        "Disconnected",
    )
    generated = registry.create_device_with_sas("d-generated", "", "", "enabled")
    assert len(generated.authentication.symmetric_key.primary_key) == 44
    assert registry.get_device("d").generation_id == device.generation_id
    assert [d.device_id for d in registry.get_devices()] == ["d", "d-generated", DEVICE]
    assert len(registry.get_devices(1)) == 1

    changed = registry.update_device_with_sas("d", device.etag, OTHER_KEY, KEY, "disabled")
    assert changed.authentication.symmetric_key.primary_key == OTHER_KEY
    assert changed.status == "disabled"
    assert changed.etag != device.etag
    stale = status_of(registry.update_device_with_sas, "d", device.etag, OTHER_KEY, KEY, "enabled")
    assert stale == (412, "PreconditionFailed")
    again = status_of(registry.create_device_with_sas, "d", KEY, KEY, "enabled")
    assert again == (409, "DeviceAlreadyExists")
    assert status_of(registry.delete_device, "d", "AAAA") == (412, "PreconditionFailed")
    registry.delete_device("d")
    assert status_of(registry.get_device, "d") == (404, "DeviceNotFound")
    assert status_of(registry.delete_device, "d") == (404, "DeviceNotFound")


def test_modules(registry, hub):
    module = registry.create_module_with_sas(DEVICE, "mod$x", "me", KEY, OTHER_KEY)
    assert module.authentication.symmetric_key.secondary_key == OTHER_KEY
    assert module.managed_by == "me"
    generated = registry.create_module_with_sas(DEVICE, "gen", "me", "", "")
    assert len(generated.authentication.symmetric_key.primary_key) == 44
    ids = [m.module_id for m in registry.get_modules(DEVICE)]
    assert ids == [MODULE, "gen", "mod$x"]
    changed = registry.update_module_with_sas(DEVICE, "mod$x", "you", module.etag, OTHER_KEY, KEY)
    assert changed.managed_by == "you"
    assert (
        registry.get_module(DEVICE, "mod$x").authentication.symmetric_key.primary_key == OTHER_KEY
    )
    twice = status_of(registry.create_module_with_sas, DEVICE, "gen", "me", KEY, KEY)
    assert twice == (409, "ModuleAlreadyExistsOnDevice")
    nowhere = status_of(registry.create_module_with_sas, "nobody", "m", "me", KEY, KEY)
    assert nowhere == (404, "DeviceNotFound")
    registry.delete_module(DEVICE, "gen")
    assert status_of(registry.get_module, DEVICE, "gen") == (404, "ModuleNotFound")
    registry.delete_device(DEVICE)
    assert status_of(registry.get_module, DEVICE, "mod$x") == (404, "DeviceNotFound")


def test_module_twins(registry):
    twin = registry.get_module_twin(DEVICE, MODULE)
    assert twin.properties.desired["$version"] == 1
    assert twin.etag == "AAAAAAAAAAE="
    patch = Twin(tags={"site": "a"}, properties=TwinProperties(desired={"a": 1, "b": {"c": 2}}))
    updated = registry.update_module_twin(DEVICE, MODULE, patch, twin.etag)
    assert updated.tags == {"site": "a"}
    desired = updated.properties.desired
    assert (desired["a"], desired["b"], desired["$version"]) == (1, {"c": 2}, 2)
    assert desired["$metadata"]["b"]["c"]["$lastUpdatedVersion"] == 2
    stale = status_of(registry.update_module_twin, DEVICE, MODULE, patch, twin.etag)
    assert stale == (412, "PreconditionFailed")
    # What was read can be sent back as it is.
    updated = registry.update_module_twin(DEVICE, MODULE, updated, updated.etag)
    assert updated.properties.desired["$version"] == 3
    replaced = registry.replace_module_twin(
        DEVICE, MODULE, Twin(properties=TwinProperties(desired={"b": {"d": 1}}))
    )
    assert replaced.properties.desired["b"] == {"d": 1}
    assert "a" not in replaced.properties.desired
    too_big = Twin(properties=TwinProperties(desired={str(n): "x" * 4000 for n in range(9)}))
    assert status_of(registry.update_module_twin, DEVICE, MODULE, too_big)[0] == 400


def test_device_twins(registry):
    twin = registry.update_twin(DEVICE, Twin(tags={"a": {"b": 1}}))
    assert twin.tags == {"a": {"b": 1}}
    assert twin.module_id is None
    twin = registry.replace_twin(DEVICE, Twin(tags={"c": 1}), twin.etag)
    assert twin.tags == {"c": 1}
    assert registry.get_twin(DEVICE).status == "enabled"
    assert status_of(registry.get_twin, "nobody") == (404, "DeviceNotFound")


def test_a_disabled_device_is_cut_and_refused(hub, registry, client):
    client.connect()
    states = connections_of(client)
    device = registry.get_device(DEVICE)
    keys = device.authentication.symmetric_key
    registry.update_device_with_sas(
        DEVICE, device.etag, keys.primary_key, keys.secondary_key, "disabled"
    )
    wait_until(lambda: False in states, "the disconnect")
    rival = module_client(hub, connection_retry=False)
    with pytest.raises(CredentialError):
        rival.connect()
    rival.shutdown()


def test_a_wrong_service_key_is_refused(hub):
    connection = hub.service.rsplit(";", 1)[0] + f";SharedAccessKey={KEY}"
    registry = IoTHubRegistryManager.from_connection_string(connection)
    assert status_of(registry.get_device, DEVICE) == (401, "IotHubUnauthorizedAccess")
