"""The store of the cloud: one table with the string keys `user` and `item`.

An item is `profile` or `note#<id>`.
"""

import secrets
import time
from datetime import UTC, datetime

import boto3
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from lib.notes import NewNote, Note


class DynamoDBStore:
    def __init__(self, table: str) -> None:
        self._table = boto3.resource("dynamodb").Table(table)

    def add_user(self, name: str, password: str) -> bool:
        try:
            self._table.put_item(
                Item={"user": name, "item": "profile", "password": password},
                ConditionExpression="attribute_not_exists(#user)",
                ExpressionAttributeNames={"#user": "user"},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def password_of(self, name: str) -> str | None:
        row = self._table.get_item(Key={"user": name, "item": "profile"}).get("Item")
        return row["password"] if row else None

    def add_note(self, user: str, note: NewNote) -> Note:
        number = f"{time.time_ns():016x}{secrets.token_hex(4)}"
        made = Note(id=number, created=datetime.now(UTC), **note.model_dump())
        self._table.put_item(
            Item={
                "user": user,
                "item": f"note#{number}",
                "content": made.model_dump_json(),
            }
        )
        return made

    def notes_of(self, user: str, limit: int) -> list[Note]:
        found = self._table.query(
            KeyConditionExpression=Key("user").eq(user)
            & Key("item").begins_with("note#"),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [Note.model_validate_json(row["content"]) for row in found["Items"]]

    def note(self, user: str, number: str) -> Note | None:
        row = self._table.get_item(Key={"user": user, "item": f"note#{number}"}).get(
            "Item"
        )
        return Note.model_validate_json(row["content"]) if row else None

    def remove_note(self, user: str, number: str) -> None:
        self._table.delete_item(Key={"user": user, "item": f"note#{number}"})
